"""The stages of a cell but for protecting: original, purify, exploit, score, and inspect.

Who knows what is decided here: a purifier gets only the protected images, and only the task sees
its prompts and labels.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from impress_bench.benchmark.contract import Context, PluginError
from impress_bench.benchmark.harness.component import Component
from impress_bench.benchmark.harness.environment import Environment, generator
from impress_bench.benchmark.harness.images import check, from_tensor, to_tensor
from impress_bench.benchmark.harness.keys import derive_seed
from impress_bench.benchmark.harness.result import Result
from impress_bench.benchmark.harness.stage import Stage, ask_to_skip, images_of, one_an_image, tell


@dataclass(eq=False, kw_only=True, slots=True)
class Original(Stage):
    """The clean images of a subject."""

    kind = "original"

    @property
    def component(self) -> str:
        return f"task {self.task.label}"

    def parts(self) -> Mapping[str, Any]:
        return {"component": self.task.identity()}

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        return Result(env.task(self.task).originals(self.subject))


@dataclass(eq=False, kw_only=True, slots=True)
class Purify(Stage):
    """A purifier applied to protected images; it sees neither the originals nor their titles."""

    kind = "purify"
    protected: Stage
    purifier: Component
    model_digest: str

    @property
    def inputs(self) -> Mapping[str, Stage]:
        return {"protected": self.protected}

    @property
    def plugins(self) -> tuple[Component, ...]:
        return (self.purifier,)

    @property
    def component(self) -> str:
        return f"purifier {self.purifier.label}"

    @property
    def likeness(self) -> Hashable:
        return self.kind, id(self.purifier)

    def parts(self) -> Mapping[str, Any]:
        return {"component": self.purifier.identity(), "model": self.model_digest}

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        protected = images_of(inputs["protected"])
        model = env.model("purifier", self.purifier.surrogate)
        context = Context(
            generator=generator("purify", self.task_name, self.subject),
            model=model,
            progress=env.progress,
        )
        plugin = self.purifier.create()
        ask_to_skip(self, plugin, model)
        tell(plugin, self.subject, protected)
        answer = plugin(to_tensor(protected, env.device), context)
        try:
            return Result(from_tensor(answer.images, protected))
        except (ValueError, AttributeError) as error:
            raise PluginError(self.component, f"returned no valid result: {error}") from error


@dataclass(eq=False, kw_only=True, slots=True)
class Exploit(Stage):
    """What the target model makes of images. Its noise knows no protection and no purifier."""

    kind = "exploit"
    images: Stage
    seed: int
    model_digest: str
    control: str | None = None

    @property
    def inputs(self) -> Mapping[str, Stage]:
        return {"images": self.images}

    @property
    def component(self) -> str:
        return f"task {self.task.label}"

    @property
    def coordinates(self) -> tuple[str | int, ...]:
        return self.kind, self.task_name, self.subject, self.seed

    @property
    def likeness(self) -> Hashable:
        return self.kind, id(self.task), self.control, self.seed

    def parts(self) -> Mapping[str, Any]:
        return {
            "component": self.task.identity(),
            "model": self.model_digest,
            "seed": self.seed,
            "control": self.control,
        }

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        images = env.task(self.task).exploit(
            self.subject,
            images_of(inputs["images"]),
            env.model("target"),
            derive_seed("exploit", self.task_name, self.subject, self.seed),
            env.progress,
            self.control,
        )
        check(images)
        return Result(images)


@dataclass(eq=False, kw_only=True, slots=True)
class Score(Stage):
    """The metrics of an exploit, beside the exploit of the clean images where the task asks."""

    kind = "score"
    exploited: Stage
    reference: Stage | None
    metrics: tuple[str, ...]

    @property
    def inputs(self) -> Mapping[str, Stage]:
        reference = {} if self.reference is None else {"reference": self.reference}
        return {"exploited": self.exploited, **reference}

    @property
    def component(self) -> str:
        return f"task {self.task.label}"

    @property
    def likeness(self) -> Hashable:
        return self.kind, id(self.task)

    def parts(self) -> Mapping[str, Any]:
        return {"component": self.task.identity()}

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        reference = None if self.reference is None else images_of(inputs["reference"])
        exploited = images_of(inputs["exploited"])
        scores = env.task(self.task).score(self.subject, exploited, reference)
        if set(scores) != set(self.metrics):
            given = sorted(scores)
            raise PluginError(self.component, f"scored {given}, not {sorted(self.metrics)}")
        for name, value in scores.items():
            if not math.isfinite(value):
                raise PluginError(self.component, f"scored {name} as {value}")
        return Result(record={"scores": {name: float(scores[name]) for name in self.metrics}})


@dataclass(eq=False, kw_only=True, slots=True)
class Inspect(Stage):
    """How consistent images are with a model's image space, beside their originals."""

    kind = "inspect"
    original: Stage
    images: Stage
    source: str
    model_digest: str

    @property
    def inputs(self) -> Mapping[str, Stage]:
        return {"original": self.original, "images": self.images}

    @property
    def component(self) -> str:
        return "inspection"

    @property
    def likeness(self) -> Hashable:
        return self.kind, id(self.task)

    def parts(self) -> Mapping[str, Any]:
        return {
            "component": self.task.identity(),
            "source": self.source,
            "model": self.model_digest,
        }

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        from impress_bench.benchmark.models.inconsistency import measure

        images = images_of(inputs["images"])
        noise = generator("inspect", self.task_name, self.subject)
        originals = to_tensor(images_of(inputs["original"]), env.device)
        measures = measure(env.model("target"), to_tensor(images, env.device), originals, noise)
        measures |= env.task(self.task).inspect(self.subject, images)
        record: dict[str, Any] = {"names": list(images.names), "measures": {}}
        for name, values in measures.items():
            if not one_an_image(values, images):
                raise PluginError(self.component, f"{name} is no finite value an image: {values}")
            record["measures"][name] = [float(value) for value in values]
        return Result(record=record)
