"""What `run` may be given instead of the values of a preset, as flags are on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.spec import parse_specs

SPECS = ("protections", "purifiers", "metrics", "tasks")


class Selection(TypedDict, total=False):
    """Each replaces the preset's; None leaves the preset's.

    Parameters:
        protections, purifiers, tasks: Specs, as a list or as one text with commas; naming
            protections or purifiers drops the preset's matrix, naming tasks keeps what it says
            about them.
        metrics: Specs of metrics in addition to those of the tasks.
        subjects: How many of each task, numbers by task, or names.
        seeds: Of the exploit; at least 0.
        device: "cpu" or "cuda".
    """

    protections: str | Sequence[str] | None
    purifiers: str | Sequence[str] | None
    metrics: str | Sequence[str] | None
    tasks: str | Sequence[str] | None
    subjects: int | Mapping[str, int] | Sequence[str] | None
    seeds: int | Sequence[int] | None
    device: str | None


def select(preset: Preset, **selection: Any) -> Preset:
    """`preset` with what `selection` names instead. Raises ConfigError, which names the argument,
    and TypeError for an argument that `Selection` does not have."""
    if strange := sorted(selection.keys() - Selection.__annotations__.keys()):
        raise TypeError(f"run() got an unexpected keyword argument {strange[0]!r}")
    values = {name: _value(name, given) for name, given in selection.items() if given is not None}
    return preset.override({name: name for name in values}, **values) if values else preset


def _value(name: str, given: Any) -> Any:
    if name in SPECS:
        return _specs(name, given)
    if name == "seeds" and isinstance(given, int):
        return [given]
    if name == "subjects" and isinstance(given, str):
        return [given]
    if name == "device":
        return given
    if isinstance(given, Sequence):
        return list(given)
    return dict(given) if isinstance(given, Mapping) else given


def _specs(name: str, given: Any) -> list[str]:
    """Specs from a list, or from one text with commas."""
    for text in [given] if isinstance(given, str) else list(given):
        if not isinstance(text, str):
            raise ConfigError(
                f"{name}: {text!r} is no text; a run names plugins, such as glaze[p=0.05], which"
                " are registered by entry points (see `impress-bench new`)"
            )
    try:
        texts = [given] if isinstance(given, str) else given
        return [str(spec) for text in texts for spec in parse_specs(text)]
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
