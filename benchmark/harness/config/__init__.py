"""Presets: what they may hold, and how their files are read."""
