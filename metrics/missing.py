"""What is said of a metric whose library or weights are not on this machine."""

from __future__ import annotations

from importlib.util import find_spec

from impress_bench.benchmark.contract import PluginError, State


def missing_library(package: str, extra: str) -> str:
    """The command that installs `package`, by an extra of ours; empty where it is installed."""
    if find_spec(package) is not None:
        return ""
    return f"needs {package}: pip install 'impress-bench[{extra}]'"


def require(metric: str, package: str, extra: str) -> None:
    """Raise PluginError, for a skipped cell, with the command that installs a missing `package`."""
    if problem := missing_library(package, extra):
        raise PluginError(f"metric {metric}", problem, State.SKIPPED)
