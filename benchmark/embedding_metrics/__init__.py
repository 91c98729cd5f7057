"""Registered metrics that see images through an encoder: sets, pairs, and images beside texts."""
