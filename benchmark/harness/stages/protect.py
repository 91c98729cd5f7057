"""The stage that protects: a plugin's answer, measured again and held against its budget.

A protection gets titles, masks and the results it asked for, and nothing of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from impress_bench.benchmark.contract import (
    NORMS,
    Budget,
    Context,
    ImageSet,
    PluginError,
    Protected,
    ProtectionHooks,
    State,
    hooks,
)
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.stages.base import (
    Stage,
    images_of,
    one_per_image,
    raise_if_skipped,
)
from impress_bench.benchmark.harness.stages.environment import Environment, generator
from impress_bench.benchmark.harness.storage.image_codec import from_tensor, to_tensor
from impress_bench.benchmark.harness.storage.result import Result

if TYPE_CHECKING:
    import torch


@dataclass(eq=False, kw_only=True, slots=True)
class Protect(Stage):
    """A protection applied to the originals, and how far it moved each image."""

    kind = "protect"
    original: Stage
    protection: Component
    model_digest: str
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
        return {"component": self.protection.identity(), "model": self.model_digest}

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        clean = images_of(inputs["original"])
        notes: dict[str, list[float]] = {}
        model = env.model("protection", self.protection.surrogate)
        context = Context(
            generator=generator("protect", self.task_name, self.subject),
            model=model,
            titles=clean.titles,
            masks=_masks(clean, env.device),
            results={k: _as_protected(inputs[f"requires {k}"], env.device) for k in self.required},
            progress=env.progress,
            note=lambda name, values: notes.update({name: [float(value) for value in values]}),
        )
        plugin = self.protection.create()
        known = hooks(plugin, ProtectionHooks)
        raise_if_skipped(self, known.skip(self.subject, model))
        known.receive_names(self.subject, clean.names)
        reason = ""
        try:
            answer = plugin(to_tensor(clean, env.device), context)
        except PluginError as error:
            answer, reason = getattr(error, "measured", None), str(error)
            if answer is None or error.state is not State.OVER_BUDGET:
                raise
        try:
            images = from_tensor(answer.images, clean)
            measured = _distances(clean, images, answer.lpips)
            _check_per_image("note", notes, clean)
        except (ValueError, AttributeError) as error:
            raise PluginError(self.component, f"returned no valid result: {error}") from error
        verdict = self._verdict(measured, known.budget, reason)
        return Result(images, {**measured, **verdict, "notes": notes})

    def _verdict(
        self, measured: Mapping[str, list[float]], budget: Budget, worst: str
    ) -> dict[str, Any]:
        """Over-budget is an outcome: measured, kept, and no cell is scored on it.

        Not every plugin judges itself; `worst` is the complaint of one that did.
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


def _masks(images: ImageSet, device: str) -> torch.Tensor | None:
    import torch

    return None if images.masks is None else torch.from_numpy(images.masks.copy()).to(device)


def _distances(clean: ImageSet, images: ImageSet, lpips: torch.Tensor) -> dict[str, Any]:
    """L-infinity and L2 of what was published, measured here; LPIPS as the plugin measured it."""
    change = (images.images.astype(np.float64) - clean.images.astype(np.float64)) / 255
    flat = change.reshape(len(change), -1)
    perceived = [float(value) for value in lpips]
    _check_per_image("measure", {"lpips": perceived}, clean)
    return {
        "names": list(images.names),
        "linf": [float(value) for value in np.abs(flat).max(axis=1)],
        "l2": [float(value) for value in np.sqrt((flat**2).sum(axis=1))],
        "lpips": perceived,
    }


def _check_per_image(what: str, named: Mapping[str, list[float]], images: ImageSet) -> None:
    """Raise ValueError unless each list holds a finite number an image."""
    for name, values in named.items():
        if not one_per_image(values, images):
            raise ValueError(f"{what} {name} is no finite value an image: {values}")


def _as_protected(result: Result, device: str) -> Protected:
    """A stored protection as the plugin that asked for it sees it."""
    import torch

    record = result.record
    assert record is not None
    distances = (torch.tensor(record[norm], dtype=torch.float32, device=device) for norm in NORMS)
    return Protected(to_tensor(images_of(result), device), *distances)
