"""What a third party sends in: a pinned plugin, and what a run of it measured."""
