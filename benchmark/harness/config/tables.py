"""The tables of a preset file and the keys that each may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt

from impress_bench.benchmark.models.numerics import Numerics
from impress_bench.benchmark.spec import Spec, Value, parse_spec

ROLES = ("protection", "purifier", "target")


class Table(BaseModel):
    """A part of a preset: refuses unknown keys, and is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Models(Table):
    """The model of each role."""

    protection: str = "atelier"
    purifier: str = "atelier"
    target: str = "atelier"

    def roles(self) -> dict[str, str]:
        return {role: getattr(self, role) for role in ROLES}


class NumericsTable(Table):
    """How models are computed; see `impress_bench.benchmark.models.numerics.Numerics`."""

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compiled: bool = False
    checkpointing: bool = False

    def chosen(self) -> Numerics:
        return Numerics(**self.model_dump())


class Parameters(Table):
    """Parameters by registered name, for components whose spec does not give them."""

    protections: dict[str, dict[str, Value]] = {}
    purifiers: dict[str, dict[str, Value]] = {}
    metrics: dict[str, dict[str, Value]] = {}
    adaptations: dict[str, dict[str, Value]] = {}


class Settings(Parameters):
    """Parameters of all components, those of tasks, and by task what is otherwise `within` it."""

    tasks: dict[str, dict[str, Any]] = {}
    within: dict[str, Parameters] = {}

    def of(self, task: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Parameters by kind and name for one task: `within` it, else in general."""
        general = self.model_dump(exclude={"within"})
        own = self.within.get(task, Parameters()).model_dump()
        for kind, named in own.items():
            for name, parameters in named.items():
                general[kind][name] = {**general[kind].get(name, {}), **parameters}
        return general


class Resources(Table):
    """What one stage asks of a cluster, besides one CPU per thread: GPUs, or a share of one (None:
    the default), and GiB of memory."""

    gpus: NonNegativeFloat | None = None
    memory_gb: NonNegativeFloat = 0.0


class Needs(Table):
    """What a machine must have for a preset, in GiB; checked by `doctor`."""

    gpu_memory_gb: NonNegativeFloat = 0.0
    disk_gb: NonNegativeFloat = 0.0


class Block(Table):
    """A block of the matrix: each of its protections with each of its purifiers, for the first
    `subjects` of each task; for all of them where it gives no number."""

    protections: list[str]
    purifiers: list[str]
    tasks: list[str] | None = None
    subjects: PositiveInt | None = None

    def covers(self, place: int) -> bool:
        """Whether the block applies to the subject at a place of its task's, from 0."""
        return self.subjects is None or place < self.subjects

    def about(self, tasks: Sequence[Spec]) -> Block | None:
        """This block for these tasks alone; None if it applies to none of them."""
        if self.tasks is None:
            return self
        left = [text for text in self.tasks if parse_spec(text) in tasks]
        return self.model_copy(update={"tasks": left}) if left else None
