"""From the tables of a run to its boards: pure functions over data frames, without torch.

`write_boards` writes them all. Names are loaded on first use, so that importing this package
imports no pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impress_bench.leaderboard.layout import Layout
    from impress_bench.leaderboard.plots.strips import strip
    from impress_bench.leaderboard.write import write_boards

__all__ = ["Layout", "strip", "write_boards"]

_HOME = {"Layout": "layout", "strip": "plots.strips", "write_boards": "write"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
