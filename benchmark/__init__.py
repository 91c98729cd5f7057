"""The benchmark: tasks, models and the harness that crosses protections with purifiers.

Names load on first use: importing this package, as `--help` and `list` do, imports no torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if sys.platform == "win32":
    raise SystemExit(
        "impress-bench runs on Linux and macOS; on Windows, run it in the Windows Subsystem for"
        " Linux (WSL): it needs file locks and process groups that Windows does not have."
    )

if TYPE_CHECKING:
    from impress_bench.benchmark.api.build import build
    from impress_bench.benchmark.api.evaluate import evaluate
    from impress_bench.benchmark.api.protect import protect
    from impress_bench.benchmark.api.purify import purify
    from impress_bench.benchmark.contract import Context, ImageSet, PluginError
    from impress_bench.benchmark.harness.config.loading import load_preset
    from impress_bench.benchmark.harness.plugins.models import load_model
    from impress_bench.benchmark.harness.runs.run import run
    from impress_bench.benchmark.tasks.base import Task
    from impress_bench.metrics.base import Metric

__all__ = [
    "Context",
    "ImageSet",
    "Metric",
    "PluginError",
    "Task",
    "build",
    "evaluate",
    "load_model",
    "load_preset",
    "protect",
    "purify",
    "run",
]

_HOMES = {
    "Context": "impress_bench.benchmark.contract",
    "ImageSet": "impress_bench.benchmark.contract",
    "Metric": "impress_bench.metrics.base",
    "PluginError": "impress_bench.benchmark.contract",
    "Task": "impress_bench.benchmark.tasks.base",
    "build": "impress_bench.benchmark.api.build",
    "evaluate": "impress_bench.benchmark.api.evaluate",
    "load_model": "impress_bench.benchmark.harness.plugins.models",
    "load_preset": "impress_bench.benchmark.harness.config.loading",
    "protect": "impress_bench.benchmark.api.protect",
    "purify": "impress_bench.benchmark.api.purify",
    "run": "impress_bench.benchmark.harness.runs.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
