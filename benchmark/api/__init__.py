"""Protect, purify and measure images from Python: `build`, `protect`, `purify`, `evaluate`.

They are exported by `impress_bench.benchmark`.
"""
