"""Calls a protection, purifier or metric; the same in every process that does.

Input and output are plain data: the plugin's code gets nothing of the stage, the store or the task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from impress_bench.benchmark.contract import (
    Budget,
    Context,
    ImageSet,
    PluginError,
    Protected,
    ProtectionHooks,
    PurifierHooks,
    State,
    hooks,
)
from impress_bench.benchmark.further_models import with_models
from impress_bench.benchmark.harness.plugins.component import OURS, Component
from impress_bench.benchmark.harness.storage.image_codec import from_tensor, to_tensor

if TYPE_CHECKING:
    import torch

    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


@dataclass(frozen=True)
class Moved:
    """The images of another protection, and the distances of each from its original, by norm."""

    images: ImageSet
    distances: Mapping[str, list[float]]


@dataclass(frozen=True)
class Question:
    """The input of a plugin: `images` (titles and masks for a protection alone), the `seed` of its
    generator, and the `results` that it requires. `subject` is empty for a purifier. `before` is
    the number of images in earlier parts, where images are cut into parts."""

    component: Component
    images: ImageSet
    seed: int
    subject: str = ""
    results: Mapping[str, Moved] = field(default_factory=dict)
    before: int = 0

    @property
    def plugin(self) -> str:
        """The plugin's name in messages: `protection glaze[p=0.05]`."""
        return f"{self.component.kind} {self.component.label}"

    def neutral(self) -> Question:
        """The same with images named by their number."""
        results = {
            name: replace(moved, images=_numbered(moved.images))
            for name, moved in self.results.items()
        }
        return replace(self, images=_numbered(self.images), results=results)


def _numbered(images: ImageSet) -> ImageSet:
    return replace(images, names=tuple(f"{at:03d}" for at in range(len(images.names))))


@dataclass(frozen=True)
class Answer:
    """The output of a plugin: its images, its notes per image and, of a protection, its budget and
    the message if it exceeds it. `lpips` is as it measured it; None for a third party's,
    which is measured here."""

    images: ImageSet
    budget: Budget = field(default_factory=Budget)
    notes: Mapping[str, list[float]] = field(default_factory=dict)
    reason: str = ""
    lpips: list[float] | None = None


def ask(
    question: Question,
    model: LatentDiffusion,
    device: str,
    progress: Callable[[int, int], None],
    further: Mapping[str, LatentDiffusion] = MappingProxyType({}),
) -> Answer:
    """Call a protection or purifier in this process; `further` are the models beside its own that a
    protection names. Raises PluginError, and any exception of the plugin's code."""
    import torch

    from impress_bench.benchmark.seeds import per_image_generators

    drawn = torch.Generator().manual_seed(question.seed)
    per_image_generators(drawn, question.before)
    context = Context(generator=drawn, model=model, progress=progress)
    if question.component.kind == "protection":
        return _ask_protection(question, with_models(context, further), device)
    return _ask_purifier(question, context, device)


def ask_metric(component: Component, images: ImageSet, reference: ImageSet | None) -> list[float]:
    """Call a metric in this process: one value per image, or one of a metric over sets. Raises
    PluginError, and any exception of its code."""
    import torch

    beside = None if reference is None else to_tensor(reference)
    metric = component.create()
    texts = {}
    if component.shown.get("titles"):
        texts["titles"] = images.titles
        if reference is not None:
            texts["reference_titles"] = reference.titles
    with torch.no_grad():
        answer = metric(to_tensor(images), beside, **texts)
    of_sets = component.shown["over"] == "set"
    try:
        return [float(answer)] if of_sets else [float(value) for value in answer]
    except (TypeError, ValueError) as error:
        plugin, wanted = f"{component.kind} {component.label}", "set" if of_sets else "image"
        raise PluginError(plugin, f"did not return one value per {wanted}: {error}") from error


def _ask_purifier(question: Question, context: Context, device: str) -> Answer:
    component, images = question.component, question.images
    notes: dict[str, list[float]] = {}
    context = replace(context, note=partial(_write_down, notes))
    plugin = component.create()
    known = hooks(plugin, PurifierHooks)
    _raise_if_skipped(question, known.skip(context.model))
    if component.distribution == OURS:
        known.receive_names(question.subject, images.names)
    answer = plugin(to_tensor(images, device), context)
    try:
        return Answer(from_tensor(answer.images, images), notes=notes)
    except (ValueError, AttributeError) as error:
        raise PluginError(question.plugin, f"returned no valid result: {error}") from error


def _ask_protection(question: Question, context: Context, device: str) -> Answer:
    images, notes, reason = question.images, dict[str, list[float]](), ""
    context = replace(
        context,
        titles=images.titles,
        masks=_masks(images, device),
        results={name: _protected(moved, device) for name, moved in question.results.items()},
        note=partial(_write_down, notes),
    )
    plugin = question.component.create()
    known = hooks(plugin, ProtectionHooks)
    _raise_if_skipped(question, known.skip(question.subject, context.model))
    known.receive_names(question.subject, images.names)
    try:
        answer = plugin(to_tensor(images, device), context)
    except PluginError as error:
        answer, reason = error.measured, str(error)
        if answer is None or error.state is not State.OVER_BUDGET:
            raise
    try:
        moved = from_tensor(answer.images, images)
        # Ours measure as the benchmark does; a third party's own figure is not relied on.
        lpips = [float(value) for value in answer.lpips] if question.component.ours else None
    except (ValueError, TypeError, AttributeError) as error:
        raise PluginError(question.plugin, f"returned no valid result: {error}") from error
    return Answer(moved, known.budget or Budget(), notes, reason, lpips)


def _write_down(notes: dict[str, list[float]], name: str, values: Sequence[float]) -> None:
    """`Context.note` of a plugin whose notes are kept."""
    notes[name] = [float(value) for value in values]


def _raise_if_skipped(question: Question, reason: str | None) -> None:
    if reason:
        raise PluginError(question.plugin, f"does not apply: {reason}", State.SKIPPED)


def _masks(images: ImageSet, device: str) -> torch.Tensor | None:
    import torch

    return None if images.masks is None else torch.from_numpy(images.masks.copy()).to(device)


def _protected(moved: Moved, device: str) -> Protected:
    """A stored protection as the plugin that requires it gets it."""
    import torch

    distances = (
        torch.tensor(moved.distances[norm], dtype=torch.float32, device=device)
        for norm in ("linf", "l2", "lpips")
    )
    return Protected(to_tensor(moved.images, device), *distances)
