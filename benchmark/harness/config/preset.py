"""Presets: a named matrix of plugins with its sizes and settings, one TOML file each.

```toml
extends = "paper"                 # a shipped preset to start from
title = "A look at the loop"
tasks = ["style-mimicry"]
protections = ["identity", "glaze[p=0.05]"]
purifiers = ["none", "jpeg"]
metrics = ["lpips"]               # in addition to those of the tasks
seeds = [0]
boards = ["table-1", "matrix"]    # default: all that apply
subjects = 2                      # the first two; or a number per task, or names; default: all
everything = false                # add all that is registered, and adaptations of what is listed
threads = 2
device = "cpu"                    # or "cuda"
time_limit_s = 600.0              # of one stage
isolate = true                    # plugins of other packages in processes of their own
plugin_python = "…/bin/python"    # left out: this one; the interpreter of such processes
memory_limit_gb = 8.0             # of one stage that is isolated
images_at_once = 4                # that a protection or purifier gets; left out: all of a subject

[models]                          # by role; different ones make a transfer run
target = "atelier"

[numerics]                        # how models are computed; part of every key
precision = "float32"             # of the U-Nets: or "bfloat16", "float16"
compiled = false                  # by torch.compile
checkpointing = false             # recompute activations in the backward pass

[settings.purifiers.jpeg]         # parameters wherever the purifier is used
quality = 75

[settings.within.style-mimicry.purifiers.jpeg]    # but in this task; one parameter or more
quality = 85

[resources]                       # of one stage on a cluster, by kind of stage
exploit = { gpus = 0.5, memory_gb = 16 }

[needs]                           # of a machine; checked by `doctor`
gpu_memory_gb = 24
disk_gb = 20

[display]                         # titles, roles and remarks for boards: fields of BoardMeta
titles = { glaze = "GLAZE" }

[[matrix]]                        # default: every protection with every purifier
protections = ["identity"]
purifiers = ["none"]
subjects = 3                      # the first three of each task; default: all
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError

from impress_bench.benchmark.errors import ConfigError, unknown
from impress_bench.benchmark.harness.config.tables import (
    Block,
    Models,
    Needs,
    NumericsTable,
    Parameters,
    Resources,
    Settings,
    Table,
)
from impress_bench.benchmark.spec import Spec, parse_spec

#: Fields whose entries the matrix combines.
LISTS = ("protections", "purifiers")


class Preset(Table):
    """What to run. `origin` (the file) and `overrides` (flags by field) are for messages."""

    name: str
    origin: str = Field(default="", exclude=True)
    overrides: dict[str, str] = Field(default={}, exclude=True)
    title: str = ""
    description: str = ""
    paper: bool = False
    models: Models = Models()
    tasks: list[str] = Field(min_length=1)
    protections: list[str] = Field(min_length=1)
    purifiers: list[str] = Field(min_length=1)
    metrics: list[str] = Field(default=[])
    seeds: list[NonNegativeInt] = Field(default=[0], min_length=1)
    subjects: PositiveInt | dict[str, PositiveInt] | list[str] | None = None
    boards: list[str] | None = None
    display: dict[str, Any] = Field(default={})
    settings: Settings = Settings()
    matrix: list[Block] = Field(default=[])
    everything: bool = False
    inspections: bool = True
    threads: PositiveInt = 2
    device: Literal["cpu", "cuda"] = "cpu"
    numerics: NumericsTable = NumericsTable()
    time_limit_s: PositiveFloat | None = None
    isolate: bool = True
    plugin_python: str | None = None
    memory_limit_gb: PositiveFloat | None = None
    images_at_once: PositiveInt | None = None
    resources: dict[str, Resources] = Field(default={})
    needs: Needs = Needs()

    def gpus(self, kind: str) -> float:
        """GPUs, or a share of one, that a stage of a kind asks Ray for. By default one if the
        preset runs on GPUs: Ray hides them from a stage that asks for none."""
        asked = self.resources.get(kind, Resources()).gpus
        return float(self.device == "cuda") if asked is None else asked

    @property
    def conditions(self) -> str:
        """How models compute and how images are cut, for keys: the order of summation depends on
        both."""
        parts = f" images={self.images_at_once}" if self.images_at_once else ""
        return f"{self.numerics.chosen()}{parts}"

    def where(self, field: str) -> str:
        """The flag that set a field, or the file and its key."""
        return self.overrides.get(field) or ": ".join(filter(None, [self.origin, field]))

    def specs(self, field: str) -> list[Spec]:
        """The specs in a field such as "purifiers", each once, in order. Raises ConfigError."""
        return list(dict.fromkeys(self._parse(field, getattr(self, field))))

    def crossed(self, task: Spec, protection: Spec, purifier: Spec, place: int = 0) -> bool:
        """Whether the matrix contains this combination for the subject at a place of its task's,
        from 0."""
        return not self.matrix or any(
            block.covers(place)
            and protection in self._parse("matrix", block.protections)
            and purifier in self._parse("matrix", block.purifiers)
            and (block.tasks is None or task in self._parse("matrix", block.tasks))
            for block in self.matrix
        )

    def override(self, flags: Mapping[str, str] | None = None, **values: Any) -> Preset:
        """A preset with some values replaced, validated as that of a file.

        New protections or purifiers are all combined, so the matrix is dropped unless a new one is
        among the values; new tasks keep the blocks of the matrix that apply to them.

        Parameters:
            flags: What replaced a value, by field ("protections": "--protections"): messages name
                it instead of the file.
            values: Fields of a preset.

        Raises ConfigError for values that a preset cannot have.
        """
        # Where a preset adds everything registered, lists that are named stay as they are.
        named = [name for name in LISTS if name in values and "everything" not in values]
        blamed = {**self.overrides, **{name: name for name in named}, **(flags or {})}
        changed = {**self.model_dump(), "origin": self.origin, **values}
        if "matrix" in values:
            pass
        elif "protections" in values or "purifiers" in values:
            changed["matrix"] = []
        elif "tasks" in values:
            chosen = self._parse("tasks", values["tasks"])
            changed["matrix"] = [part for block in self.matrix if (part := block.about(chosen))]
        preset = validated({**changed, "overrides": blamed}, self.origin)
        if "matrix" in values and not values.keys().isdisjoint(LISTS):
            preset.check_rows()
        return preset

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Preset:
        """As `override`: pydantic's own copy validates nothing, and would keep a matrix that does
        not name the rows of a new list, which then would never run."""
        return self.override(**update) if update else super().model_copy(deep=deep)

    def check_rows(self) -> None:
        """Raise ConfigError for a listed task, protection or purifier that no block of the matrix
        names: nothing of it would be run."""
        for field in ("tasks", *LISTS):
            for spec in self.specs(field) if self.matrix and not self.everything else []:
                named = [getattr(block, field) for block in self.matrix]
                if not any(one is None or spec in self._parse("matrix", one) for one in named):
                    raise ConfigError(
                        f"{self.where(field)}: no [[matrix]] block names {str(spec)!r}, so that"
                        " none of its cells would be run; add it to one, leave it out, or combine"
                        " everything listed by matrix = []"
                    )

    def _parse(self, field: str, texts: Sequence[str]) -> list[Spec]:
        try:
            return [parse_spec(text) for text in texts]
        except ConfigError as error:
            raise ConfigError(f"{self.where(field)}: {error}") from None


def validated(content: Mapping[str, Any], origin: str) -> Preset:
    """The preset with this content. Raises ConfigError for unknown keys, wrong types, and entries
    of the matrix that its lists lack."""
    try:
        preset = Preset.model_validate(content)
    except ValidationError as error:
        # A misspelt key is often missing too; the misspelling is the message that helps.
        first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{origin}: {unknown_key(first['loc'])}") from None
        key = ".".join(map(str, first["loc"]))
        flag = content.get("overrides", {}).get(str(first["loc"][0]))
        given = "" if first["type"] == "missing" else f", not {first['input']!r}"
        raise ConfigError(f"{flag or f'{origin}: {key}'}: {first['msg']}{given}") from None
    for block in preset.matrix:
        for field in ("tasks", "protections", "purifiers"):
            for spec in preset._parse("matrix", getattr(block, field) or []):
                if spec not in (known := preset.specs(field)):
                    what = f"entry of {field} in [[matrix]]:"
                    raise ConfigError(
                        f"{origin}: {unknown(what, str(spec), map(str, known))}. A preset that"
                        f" extends another inherits its [[matrix]]; for {field} of its own it needs"
                        f" blocks of its own, or matrix = [] to combine everything listed"
                    )
    return preset


def unknown_key(location: Sequence[int | str]) -> str:
    """`Unknown key in models: 'targt'. Did you mean: target? …` for a place in a preset."""
    tables: dict[str, type[Table]] = {
        "models": Models,
        "numerics": NumericsTable,
        "settings": Settings,
        "matrix": Block,
    }
    table = tables.get(str(location[0]), Preset) if len(location) > 1 else Preset
    if location[:2] == ("settings", "within") and len(location) > 3:
        table = Parameters
    known = [name for name in table.model_fields if name not in ("origin", "overrides")]
    within = ".".join(map(str, location[:-1]))
    return unknown(f"key in {within}:" if within else "key", str(location[-1]), known)
