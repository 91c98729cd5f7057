"""What is said of a metric whose library or weights are not on this machine."""

from __future__ import annotations

from importlib.util import find_spec

from impress_bench.benchmark.contract import PluginError, State


def require(metric: str, package: str, extra: str) -> None:
    """Raise PluginError, for a skipped cell, with the command that installs a missing `package`."""
    if find_spec(package) is None:
        command = f"pip install 'impress-bench[{extra}]'"
        raise PluginError(f"metric {metric}", f"needs {package}: {command}", State.SKIPPED)
