"""The stages of a cell, and the environment that they run in."""
