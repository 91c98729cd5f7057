"""What a stage is, and the one way in which it is performed whoever runs it."""

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

if TYPE_CHECKING:
    pass


class Place(NamedTuple):
    """Where in the matrix a stage was first needed; for people, no part of its key."""

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
    """What all stages of a subject share. `task_name` is what the task calls itself, under which
    noise is derived."""

    task: Component
    task_name: str
    subject: str
    threads: int
    device: str = "cpu"
    numerics: str = "float32"


# Not frozen, because a plan makes millions of them and freezing more than doubles what one costs;
# nobody changes one all the same.
@dataclass(eq=False, kw_only=True, slots=True)
class Stage(ABC):
    """One step."""

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
        """Threads, type of device and numerics: what is the same for all of a run."""
        return self.scene.threads, self.scene.device, self.scene.numerics

    @property
    def inputs(self) -> Mapping[str, Stage]:
        return {}

    @property
    def plugins(self) -> tuple[Component, ...]:
        """The protection or purifier whose code it runs, if any."""
        return ()

    @property
    @abstractmethod
    def component(self) -> str:
        """Whose time this is and who is to blame: `protection glaze[p=0.05]`."""

    @property
    def coordinates(self) -> tuple[str | int, ...]:
        """What the global random state is seeded with while it runs."""
        return self.kind, self.task_name, self.subject

    @property
    def likeness(self) -> Hashable | None:
        """Equal for stages of a plan that differ in subject, inputs and place alone; None where it
        is not worth telling. Components are meant by identity: a plan has each once."""
        return None

    @abstractmethod
    def parts(self) -> Mapping[str, Any]:
        """What the result depends on besides the inputs."""

    @abstractmethod
    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        """Compute the result from those of `inputs`."""

    @property
    def document(self) -> dict[str, Any]:
        """What the key digests."""
        parts = {"task": self.task_name, "subject": self.subject, **self.parts()}
        keys = {name: stage.key for name, stage in self.inputs.items()}
        return key_inputs(self.kind, parts, keys, *self.conditions)

    @property
    def key(self) -> str:
        if self._key is None:
            self._key = key_of(self.document)
        return self._key

    def find_key(self, patterns: dict[Hashable, KeyPattern]) -> str:
        """The key, by the pattern that stages of one subject with this likeness share; the first of
        them writes it down."""
        likeness = self.likeness
        if likeness is None:
            return self.key
        inputs = self.inputs
        if (pattern := patterns.get(likeness)) is None:
            pattern = patterns[likeness] = KeyPattern(self.document)
        self._key = key = pattern.key(*[inputs[name].key for name in pattern.names])
        return key


def perform(stage: Stage, inputs: Mapping[str, Result], env: Environment) -> Result:
    """Run a stage; whatever goes wrong in it becomes a `PluginError` that names the plugin."""
    try:
        with env.stage(stage.threads, *stage.coordinates):
            return stage.run(inputs, env)
    except PluginError:
        raise
    except TimeLimitExceeded as error:
        raise PluginError(stage.component, str(error), State.TIMEOUT) from error
    except (Exception, SystemExit) as error:
        kind, _, label = stage.component.partition(" ")
        raise plugin_error(kind, label, f"failed in {stage.kind}", error) from error


def images_of(result: Result) -> ImageSet:
    """The images of a result whose stage makes images."""
    assert result.images is not None
    return result.images


def one_per_image(values: Sequence[float], images: ImageSet) -> bool:
    """Whether there is a finite number for each image."""
    return len(values) == len(images.names) and all(map(math.isfinite, values))
