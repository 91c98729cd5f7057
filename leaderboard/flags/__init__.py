"""Warnings about what a run shows, raised by its own tables."""
