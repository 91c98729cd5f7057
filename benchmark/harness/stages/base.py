"""The base class of stages, and the function that every executor performs them with."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from impress_bench.benchmark.contract import ImageSet, PluginError, State
from impress_bench.benchmark.errors import plugin_error
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.stages.environment import Environment, TimeLimitExceeded
from impress_bench.benchmark.harness.storage.keys import KeyPattern, key_inputs, key_of
from impress_bench.benchmark.harness.storage.result import Result
from impress_bench.benchmark.machine import MachineError, shortage

if TYPE_CHECKING:
    pass


class Place(NamedTuple):
    """Where in the matrix a stage is first needed; for messages, not part of its key."""

    task: str
    subject: str
    protection: str = ""
    purifier: str = ""
    seed: int | None = None

    def __str__(self) -> str:
        seed = "" if self.seed is None else f"seed={self.seed}"
        return " ".join(filter(None, [f"{self.task}/{self.subject}", *self.parts, seed]))

    @property
    def parts(self) -> tuple[str, str]:
        return self.protection, self.purifier


class Scene(NamedTuple):
    """What all stages of a subject share. `task_name` is the task's own `name`, from which the
    seeds of noise are derived."""

    task: Component
    task_name: str
    subject: str
    threads: int
    device: str = "cpu"
    numerics: str = "float32"


# Not frozen: a plan makes millions of them, and a frozen one takes twice as long to make.
@dataclass(eq=False, kw_only=True, slots=True)
class Stage(ABC):
    """One step of a plan, with a result of its own. Not to be changed once made."""

    place: Place
    scene: Scene
    _key: str | None = field(default=None, init=False, repr=False)
    kind: ClassVar[str]

    @property
    def task(self) -> Component:
        return self.scene.task

    @property
    def task_name(self) -> str:
        return self.scene.task_name

    @property
    def subject(self) -> str:
        return self.scene.subject

    @property
    def threads(self) -> int:
        return self.scene.threads

    @property
    def device(self) -> str:
        return self.scene.device

    @property
    def conditions(self) -> tuple[int, str, str]:
        """Threads, type of device and numerics, the same for all stages of a run."""
        return self.scene.threads, self.scene.device, self.scene.numerics

    @property
    def inputs(self) -> Mapping[str, Stage]:
        return {}

    @property
    def plugins(self) -> tuple[Component, ...]:
        """The protection, purifier or metric whose code it runs, if any."""
        return ()

    @property
    @abstractmethod
    def component(self) -> str:
        """The component that costs and errors are assigned to: `protection glaze[p=0.05]`."""

    @property
    def coordinates(self) -> tuple[str | int, ...]:
        """The coordinates that seed the global random state while it runs."""
        return self.kind, self.task_name, self.subject

    @property
    def likeness(self) -> Hashable | None:
        """Stages with an equal `likeness` share a key template: they differ only in subject, inputs
        and place. None: compute the key directly. Components are compared by identity, since a plan
        has each once."""
        return None

    @abstractmethod
    def parts(self) -> Mapping[str, Any]:
        """What the result depends on besides task, subject, inputs and conditions: plain values."""

    @abstractmethod
    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        """Compute the result from the results of `inputs`."""

    @property
    def document(self) -> dict[str, Any]:
        """The document that the key digests."""
        parts = {"task": self.task_name, "subject": self.subject, **self.parts()}
        keys = {name: stage.key for name, stage in self.inputs.items()}
        return key_inputs(self.kind, parts, keys, *self.conditions)

    @property
    def key(self) -> str:
        if self._key is None:
            self._key = key_of(self.document)
        return self._key

    def shared_key(self, patterns: dict[Hashable, KeyPattern]) -> str:
        """The key, by the template that stages of one subject with this likeness share; the first
        of them adds it to `patterns`."""
        likeness = self.likeness
        if likeness is None:
            return self.key
        inputs = self.inputs
        if (pattern := patterns.get(likeness)) is None:
            pattern = patterns[likeness] = KeyPattern(self.document)
        self._key = key = pattern.key(*[inputs[name].key for name in pattern.names])
        return key


def perform(stage: Stage, inputs: Mapping[str, Result], env: Environment) -> Result:
    """Run a stage. Raises PluginError, which names the plugin, for any exception in it, but for
    what this machine is short of: MachineError."""
    try:
        with env.stage(stage.threads, *stage.coordinates):
            return stage.run(inputs, env)
    except MachineError:
        raise
    except TimeLimitExceeded as error:
        raise PluginError(stage.component, str(error), State.TIMEOUT) from error
    except (Exception, SystemExit) as error:
        if short := shortage(error):
            raise short from error
        if isinstance(error, PluginError):
            raise
        kind, _, label = stage.component.partition(" ")
        raise plugin_error(kind, label, f"failed in {stage.kind}", error) from error


def images_of(result: Result) -> ImageSet:
    """The images of a result whose stage makes images."""
    assert result.images is not None
    return result.images


def one_per_image(values: Sequence[float], images: ImageSet) -> bool:
    """Whether there is a finite number for each image."""
    return len(values) == len(images.names) and all(map(math.isfinite, values))
