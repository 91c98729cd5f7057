"""The stage that purifies: a purifier gets the protected images and nothing else of the task."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from impress_bench.benchmark.contract import Context, PluginError, PurifierHooks, hooks
from impress_bench.benchmark.harness.plugins.component import OURS, Component
from impress_bench.benchmark.harness.stages.base import (
    Stage,
    images_of,
    raise_if_skipped,
)
from impress_bench.benchmark.harness.stages.environment import Environment, generator
from impress_bench.benchmark.harness.storage.image_codec import from_tensor, to_tensor
from impress_bench.benchmark.harness.storage.result import Result


@dataclass(eq=False, kw_only=True, slots=True)
class Purify(Stage):
    """A purifier applied to protected images; it sees neither the originals nor their titles, and a
    third party's gets no names."""

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
        known = hooks(plugin, PurifierHooks)
        raise_if_skipped(self, known.skip(model))
        if self.purifier.distribution == OURS:
            known.receive_names(self.subject, protected.names)
        answer = plugin(to_tensor(protected, env.device), context)
        try:
            return Result(from_tensor(answer.images, protected))
        except (ValueError, AttributeError) as error:
            raise PluginError(self.component, f"returned no valid result: {error}") from error
