"""A plugin module that cannot be imported."""

raise ImportError("libpaint.so: cannot open shared object file")


class Crash:
    """Never comes to be."""
