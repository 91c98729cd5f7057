"""What the pretended plugins compute with; its source belongs to theirs."""

SCALE = 1.0
