"""One's own images: files of any kind in, PNG out, brought to a model's size and back."""
