"""The stage that protects: a plugin's answer, measured again and compared with its budget.

A protection gets titles, masks and the results that it requires, and nothing else of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from impress_bench.benchmark.contract import NORMS, Budget, ImageSet, PluginError, State
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.stages.asking import Answer, Moved, Question, ask
from impress_bench.benchmark.harness.stages.base import Stage, images_of, one_per_image
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.stages.parts import ask_in_parts
from impress_bench.benchmark.harness.storage.image_codec import to_tensor
from impress_bench.benchmark.harness.storage.keys import derive_seed
from impress_bench.benchmark.harness.storage.result import Result


@dataclass(eq=False, kw_only=True, slots=True)
class Protect(Stage):
    """A protection applied to the originals, and how far it moved each image."""

    kind = "protect"
    original: Stage
    protection: Component
    model_identity: str
    #: What identifies the models beside that one, by name.
    further: Mapping[str, str] = field(default_factory=dict)
    required: Mapping[str, Stage] = field(default_factory=dict)

    @property
    def inputs(self) -> Mapping[str, Stage]:
        return {"original": self.original, **{f"requires {k}": v for k, v in self.required.items()}}

    @property
    def plugins(self) -> tuple[Component, ...]:
        return (self.protection,)

    @property
    def component(self) -> str:
        return f"protection {self.protection.label}"

    def parts(self) -> Mapping[str, Any]:
        parts = {"component": self.protection.identity(), "model": self.model_identity}
        return {**parts, "further models": dict(self.further)} if self.further else parts

    def question(self, inputs: Mapping[str, Result]) -> Question:
        """What the protection is given."""
        return Question(
            component=self.protection,
            images=images_of(inputs["original"]),
            seed=derive_seed("protect", self.task_name, self.subject, 0),
            subject=self.subject,
            results={name: _moved(inputs[f"requires {name}"]) for name in self.required},
        )

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        model = env.model("protection", self.protection.surrogate)
        further = {name: env.model("protection", name) for name in self.protection.further_models}
        answer = ask_in_parts(
            self.question(inputs),
            lambda part, progress: ask(part, model, env.device, progress, further),
            env.images_at_once,
            env.unfinished,
            env.progress,
        )
        return self.judge(inputs, answer)

    def judge(self, inputs: Mapping[str, Result], answer: Answer) -> Result:
        """The result: distances measured here and held against the budget that it declares."""
        clean = images_of(inputs["original"])
        images = replace(clean, images=answer.images.images)
        try:
            measured = _distances(clean, images, answer.lpips)
            _check_per_image("note", answer.notes, clean)
        except ValueError as error:
            raise PluginError(self.component, f"returned no valid result: {error}") from error
        verdict = self._verdict(measured, answer.budget, answer.reason)
        return Result(images, {**measured, **verdict, "notes": dict(answer.notes)})

    def _verdict(
        self, measured: Mapping[str, list[float]], budget: Budget, worst: str
    ) -> dict[str, Any]:
        """States per image and together. An over-budget result is stored, but never scored.

        `worst` is the message of a plugin that found itself over its budget, else empty.
        """
        states = []
        for index in range(len(measured["linf"])):
            excess = budget.excess({norm: measured[norm][index] for norm in NORMS})
            states.append(State.OVER_BUDGET if excess else State.DONE)
            for norm, value in excess.items():
                limit = getattr(budget, norm)
                worst = worst or f"{self.component}: {norm} is {value:.4g}, its budget {limit:.4g}"
        state = State.OVER_BUDGET if worst else State.DONE
        return {"states": states, "state": state, "reason": worst}


def _distances(clean: ImageSet, images: ImageSet, lpips: list[float] | None) -> dict[str, Any]:
    """L-infinity, L2 and LPIPS of what was published, measured here; LPIPS as given where it is."""
    change = (images.images.astype(np.float64) - clean.images.astype(np.float64)) / 255
    flat = change.reshape(len(change), -1)
    perceived = _lpips(clean, images) if lpips is None else lpips
    _check_per_image("measure", {"lpips": perceived}, clean)
    return {
        "names": list(images.names),
        "linf": [float(value) for value in np.abs(flat).max(axis=1)],
        "l2": [float(value) for value in np.sqrt((flat**2).sum(axis=1))],
        "lpips": perceived,
    }


def _lpips(clean: ImageSet, images: ImageSet) -> list[float]:
    import torch

    from impress_bench.metrics import lpips_budget

    with torch.no_grad():
        return [float(value) for value in lpips_budget(to_tensor(images), to_tensor(clean))]


def _check_per_image(what: str, named: Mapping[str, list[float]], images: ImageSet) -> None:
    """Raise ValueError unless each list holds one finite number per image."""
    for name, values in named.items():
        if not one_per_image(values, images):
            raise ValueError(f"{what} {name} is not one finite value per image: {values}")


def _moved(result: Result) -> Moved:
    """A stored protection."""
    assert result.record is not None
    return Moved(images_of(result), {norm: list(result.record[norm]) for norm in NORMS})
