"""The stages of a cell: original, protect, purify, exploit, score, and inspect beside them.

Who knows what is decided here: a protection gets titles, masks and the results it asked for, a
purifier only the protected images, and only the task sees its prompts and labels.
"""

from __future__ import annotations

import math
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
    State,
)
from impress_bench.benchmark.harness.environment import Environment, generator
from impress_bench.benchmark.harness.images import check, from_tensor, to_tensor
from impress_bench.benchmark.harness.keys import derive_seed
from impress_bench.benchmark.harness.registry import Component
from impress_bench.benchmark.harness.stage import Stage
from impress_bench.benchmark.harness.store import Result

if TYPE_CHECKING:
    import torch

    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


@dataclass(frozen=True, eq=False, kw_only=True)
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


@dataclass(frozen=True, eq=False, kw_only=True)
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
    def component(self) -> str:
        return f"protection {self.protection.label}"

    def parts(self) -> Mapping[str, Any]:
        return {"component": self.protection.identity(), "model": self.model_digest}

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        clean = _images(inputs["original"])
        context = Context(
            generator=generator("protect", self.task_name, self.subject),
            model=env.model("protection"),
            titles=clean.titles,
            masks=_masks(clean),
            results={k: _as_protected(inputs[f"requires {k}"]) for k in self.required},
            progress=env.progress,
        )
        plugin = self.protection.create()
        _skip(self, plugin, env.model("protection"))
        reason = ""
        try:
            answer = plugin(to_tensor(clean), context)
        except PluginError as error:
            answer, reason = getattr(error, "measured", None), str(error)
            if answer is None or error.state is not State.OVER_BUDGET:
                raise
        try:
            images = from_tensor(answer.images, clean)
            measured = _distances(clean, images, answer.lpips)
        except (ValueError, AttributeError) as error:
            raise PluginError(self.component, f"returned no valid result: {error}") from error
        return Result(images, {**measured, **self._verdict(measured, plugin, reason)})

    def _verdict(
        self, measured: Mapping[str, list[float]], plugin: Any, worst: str
    ) -> dict[str, Any]:
        """Over-budget is an outcome: measured, kept, and no cell is scored on it.

        Not every plugin judges itself; `worst` is the complaint of one that did.
        """
        budget = getattr(plugin, "budget", None) or Budget()
        states = []
        for index in range(len(measured["linf"])):
            excess = budget.excess({norm: measured[norm][index] for norm in NORMS})
            states.append(State.OVER_BUDGET if excess else State.DONE)
            for norm, value in excess.items():
                limit = getattr(budget, norm)
                worst = worst or f"{self.component}: {norm} is {value:.4g}, its budget {limit:.4g}"
        state = State.OVER_BUDGET if worst else State.DONE
        return {"states": states, "state": state, "reason": worst}


@dataclass(frozen=True, eq=False, kw_only=True)
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
    def component(self) -> str:
        return f"purifier {self.purifier.label}"

    def parts(self) -> Mapping[str, Any]:
        return {"component": self.purifier.identity(), "model": self.model_digest}

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        protected = _images(inputs["protected"])
        context = Context(
            generator=generator("purify", self.task_name, self.subject),
            model=env.model("purifier"),
            progress=env.progress,
        )
        plugin = self.purifier.create()
        _skip(self, plugin, env.model("purifier"))
        answer = plugin(to_tensor(protected), context)
        try:
            return Result(from_tensor(answer.images, protected))
        except (ValueError, AttributeError) as error:
            raise PluginError(self.component, f"returned no valid result: {error}") from error


@dataclass(frozen=True, eq=False, kw_only=True)
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
        return *super().coordinates, self.seed

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
            _images(inputs["images"]),
            env.model("target"),
            derive_seed("exploit", self.task_name, self.subject, self.seed),
            env.progress,
            self.control,
        )
        check(images)
        return Result(images)


@dataclass(frozen=True, eq=False, kw_only=True)
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

    def parts(self) -> Mapping[str, Any]:
        return {"component": self.task.identity()}

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        reference = None if self.reference is None else _images(inputs["reference"])
        exploited = _images(inputs["exploited"])
        scores = env.task(self.task).score(self.subject, exploited, reference)
        if set(scores) != set(self.metrics):
            given = sorted(scores)
            raise PluginError(self.component, f"scored {given}, not {sorted(self.metrics)}")
        for name, value in scores.items():
            if not math.isfinite(value):
                raise PluginError(self.component, f"scored {name} as {value}")
        return Result(record={"scores": {name: float(scores[name]) for name in self.metrics}})


@dataclass(frozen=True, eq=False, kw_only=True)
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

    def parts(self) -> Mapping[str, Any]:
        return {
            "component": self.task.identity(),
            "source": self.source,
            "model": self.model_digest,
        }

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        from impress_bench.benchmark.models.inconsistency import measure

        images = _images(inputs["images"])
        noise = generator("inspect", self.task_name, self.subject)
        originals = to_tensor(_images(inputs["original"]))
        measures = measure(env.model("target"), to_tensor(images), originals, noise)
        measures |= env.task(self.task).inspect(self.subject, images)
        record: dict[str, Any] = {"names": list(images.names), "measures": {}}
        for name, values in measures.items():
            if len(values) != len(images.names) or not all(map(math.isfinite, values)):
                raise PluginError(self.component, f"{name} is no finite value an image: {values}")
            record["measures"][name] = [float(value) for value in values]
        return Result(record=record)


def _skip(stage: Stage, plugin: Any, model: LatentDiffusion) -> None:
    """Ask a plugin that can say so whether it applies here."""
    asked = getattr(plugin, "skip", None)
    if asked is not None and (reason := asked(stage.subject, model)):
        raise PluginError(stage.component, f"does not apply: {reason}", State.SKIPPED)


def _images(result: Result) -> ImageSet:
    assert result.images is not None
    return result.images


def _masks(images: ImageSet) -> torch.Tensor | None:
    import torch

    return None if images.masks is None else torch.from_numpy(images.masks.copy())


def _distances(clean: ImageSet, images: ImageSet, lpips: torch.Tensor) -> dict[str, Any]:
    """L-infinity and L2 of what was published, measured here; LPIPS as the plugin measured it."""
    change = (images.images.astype(np.float64) - clean.images.astype(np.float64)) / 255
    flat = change.reshape(len(change), -1)
    perceived = [float(value) for value in lpips]
    if len(perceived) != len(flat) or not all(map(math.isfinite, perceived)):
        raise ValueError(f"lpips is no finite value an image: {perceived}")
    return {
        "names": list(images.names),
        "linf": [float(value) for value in np.abs(flat).max(axis=1)],
        "l2": [float(value) for value in np.sqrt((flat**2).sum(axis=1))],
        "lpips": perceived,
    }


def _as_protected(result: Result) -> Protected:
    """A stored protection as the plugin that asked for it sees it."""
    import torch

    record = result.record
    assert record is not None
    distances = (torch.tensor(record[norm], dtype=torch.float32) for norm in NORMS)
    return Protected(to_tensor(_images(result)), *distances)
