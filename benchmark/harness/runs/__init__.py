"""Runs: from a preset to a folder of tables, boards and pictures, and what such folders become."""
