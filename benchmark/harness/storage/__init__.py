"""Results on disk: the content-addressed store, its keys, and how files are written."""
