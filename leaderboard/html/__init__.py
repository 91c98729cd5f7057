"""Boards as a page: one folder of static files that a browser reads without a server or network."""

from impress_bench.leaderboard.html.sheet import Source
from impress_bench.leaderboard.html.site import write_site

__all__ = ["Source", "write_site"]
