"""One recipe per file: how each part of a pack is trained."""
