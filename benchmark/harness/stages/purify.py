"""The stage that purifies: a purifier gets the protected images and nothing else of the task."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.harness.plugins.component import OURS, Component
from impress_bench.benchmark.harness.stages.asking import Answer, Question, ask
from impress_bench.benchmark.harness.stages.base import Stage, images_of, one_per_image
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.stages.parts import ask_in_parts
from impress_bench.benchmark.harness.storage.keys import derive_seed
from impress_bench.benchmark.harness.storage.result import Result


@dataclass(eq=False, kw_only=True, slots=True)
class Purify(Stage):
    """A purifier applied to protected images; it sees neither the originals nor their titles, and a
    third party's gets no names."""

    kind = "purify"
    protected: Stage
    purifier: Component
    model_identity: str

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
        return {"component": self.purifier.identity(), "model": self.model_identity}

    def question(self, inputs: Mapping[str, Result]) -> Question:
        """What the purifier is given: images alone, to ours with their names, for `dir:`."""
        return Question(
            component=self.purifier,
            images=replace(images_of(inputs["protected"]), titles=(), masks=None),
            seed=derive_seed("purify", self.task_name, self.subject, 0),
            subject=self.subject if self.purifier.distribution == OURS else "",
        )

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        model = env.model("purifier", self.purifier.surrogate)
        answer = ask_in_parts(
            self.question(inputs),
            lambda part, progress: ask(part, model, env.device, progress),
            env.images_at_once,
            env.unfinished,
            env.progress,
        )
        return self.judge(inputs, answer)

    def judge(self, inputs: Mapping[str, Result], answer: Answer) -> Result:
        """The result: the images under the names that they had, and a record if the purifier noted
        anything."""
        protected = images_of(inputs["protected"])
        for name, values in answer.notes.items():
            if not one_per_image(values, protected):
                message = f"note {name} is not one finite value per image: {values[:5]}"
                raise PluginError(self.component, f"returned no valid result: {message}")
        record = {"names": list(protected.names), "notes": dict(answer.notes)}
        images = replace(protected, images=answer.images.images)
        return Result(images, record if answer.notes else None)
