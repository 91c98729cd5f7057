"""What a call from Python hands a plugin, as the harness does in a stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from impress_bench.benchmark.api.build import Chosen, Kind
from impress_bench.benchmark.api.results import Distances
from impress_bench.benchmark.contract import Context, ImageSet, PluginError, State
from impress_bench.benchmark.errors import plugin_error
from impress_bench.benchmark.further_models import with_models
from impress_bench.benchmark.harness.plugins.models import load_model
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.keys import derive_seed
from impress_bench.benchmark.pixels import to_tensor
from impress_bench.metrics import BUDGET_NORMS

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

Progress = Callable[[int, int], None]
#: The subject's name, from which seeds derive, and the folder that `dir:PATH` reads within PATH.
SUBJECT = "images"


def loaded(model: str | LatentDiffusion) -> LatentDiffusion:
    """A model by name, or the one that `model` is. Raises ConfigError and PluginError."""
    return _kept(model) if isinstance(model, str) else model


@lru_cache(maxsize=1)
def _kept(name: str) -> LatentDiffusion:
    """The latest named model, which calls that follow each other mostly share."""
    return load_model(name)


def generator(role: str, seed: int) -> torch.Generator:
    """The source of all randomness in a role, on the CPU."""
    return torch.Generator().manual_seed(derive_seed(role, SUBJECT, seed))


@torch.no_grad()
def distances(images: Tensor, reference: Tensor) -> dict[str, Any]:
    """L-infinity, L2 and LPIPS between images (N, 3, H, W) in [0, 1], as budgets measure them."""
    return {
        name: norm(images, reference).double().cpu().numpy() for name, norm in BUDGET_NORMS.items()
    }


def noted(notes: dict[str, Distances]) -> Callable[[str, Sequence[float]], None]:
    """`Context.note` that keeps notes in a dictionary."""

    def note(name: str, values: Sequence[float]) -> None:
        notes[name] = np.asarray([float(value) for value in values])

    return note


def check_notes(plugin: str, notes: Mapping[str, Distances], images: ImageSet) -> None:
    """Raise PluginError, in the name of `plugin`, for a note that is not one value per image."""
    for name, values in notes.items():
        if len(values) != len(images.names):
            told = f"note {name} is not one value per image: {len(values)} for {len(images.names)}"
            raise PluginError(plugin, told)


@dataclass(frozen=True)
class Conditions:
    """Of one call: the surrogate, the seed, what is called with the steps done, and the models
    beside the surrogate that a protection names."""

    model: LatentDiffusion
    seed: int
    progress: Progress | None
    further: Mapping[str, LatentDiffusion] = field(default_factory=dict)

    def context(self, role: str, **more: Any) -> Context:
        """The context of a plugin in the role of "protect" or "purify"."""
        if self.progress is not None:
            more["progress"] = self.progress
        context = Context(generator=generator(role, self.seed), model=self.model, **more)
        return with_models(context, self.further)

    def tensor(self, images: ImageSet) -> Tensor:
        """The images (N, 3, H, W) in [0, 1], where the model is."""
        return to_tensor(images.images).to(self.model.device)

    def call(
        self, kind: Kind, chosen: Chosen, images: ImageSet, context: Context, skipped: str | None
    ) -> Any:
        """What a plugin returns for images.

        Libraries that it calls may draw from global random states, which are seeded for it and
        restored. `skipped` is why it does not apply. Raises PluginError, in its name, for that and
        for any exception.
        """
        if skipped:
            told = f"does not apply: {skipped}"
            raise PluginError(f"{kind} {chosen.label}", told, State.SKIPPED)
        try:
            with Environment({}).stage(torch.get_num_threads(), kind, SUBJECT, self.seed):
                return chosen.plugin(self.tensor(images), context)
        except PluginError:
            raise
        except Exception as error:
            what = f"failed{self._size_hint(images)}"
            raise plugin_error(kind, chosen.label, what, error) from error

    def _size_hint(self, images: ImageSet) -> str:
        """The likely cause, where images are not of the model's size."""
        height, width = images.images.shape[1:3]
        side = getattr(self.model, "image_size", height)
        if (height, width) == (side, side):
            return ""
        return (
            f" on images of {height} x {width}, where the model's are {side} x {side}; resize them,"
            " or use `impress-bench protect` and `purify`, which fit any size"
        )
