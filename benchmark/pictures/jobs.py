"""A protection or purifier on a folder of one's own images.

Every image is a job of its own: what goes wrong with one is told and costs no other, and its
randomness comes from its name, so that neither order nor neighbours change it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impress_bench.benchmark.contract import (
    NORMS,
    Context,
    PluginError,
    Protected,
    ProtectionHooks,
    PurifierHooks,
    State,
    hooks,
)
from impress_bench.benchmark.datasets.masks import read_mask
from impress_bench.benchmark.datasets.pictures import (
    Picture,
    UnreadablePictureError,
    read_picture,
)
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.further_models import with_models
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.storage.keys import derive_seed
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.pictures.fitting import FITTINGS
from impress_bench.benchmark.pictures.measuring import measure
from impress_bench.benchmark.pictures.sources import Files, masks_of
from impress_bench.benchmark.pictures.writing import write_picture
from impress_bench.benchmark.pixels import round_to_8bit, round_toward
from impress_bench.benchmark.spec import parse_spec
from impress_bench.benchmark.texts import composed

#: A protection that changes more than this share of what a mask does not keep works everywhere; at
#: the mask's edge the change of a resized picture always spreads a little.
HEEDLESS = 0.5


@dataclass(frozen=True)
class Outcome:
    """How one file ended: `done`, `failed`, `exists` (left alone) or `ignored` (not an image).

    `distances` are those of the written picture to the read one, at full size.
    """

    source: Path
    target: Path | None
    state: str
    reason: str = ""
    distances: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        told = [f"{self.state} {self.source}"]
        if self.distances:
            linf, l2, lpips = (self.distances[norm] for norm in NORMS)
            told.append(f"L-infinity {255 * linf:.0f}/255, L2 {l2:.3g}, LPIPS {lpips:.3f}")
        return ": ".join([*told, self.reason] if self.reason else told)

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "source": str(self.source),
            "target": None if self.target is None else str(self.target),
            "state": self.state,
            "reason": self.reason,
            **self.distances,
        }


@dataclass(frozen=True)
class Job:
    """What is done to every image. `component` is the plugin, `required` the protections whose
    results it asks for, by the names it asks by; `masks`, a folder, white on what an editor
    keeps; `further` the models beside `model` that a protection names."""

    component: Component
    required: Mapping[str, Component]
    model: LatentDiffusion
    fit: str = "resize"
    seed: int = 0
    masks: Path | None = None
    max_megapixels: float = 100.0
    force: bool = False
    progress: Callable[[int, int], None] = lambda done, total: None
    further: Mapping[str, LatentDiffusion] = field(default_factory=dict)

    def run(self, files: Files) -> Iterator[Outcome]:
        """Outcomes, one per file, as they come. Raises ConfigError."""
        masks: dict[Path, Path] = {}
        others: list[Path] = []
        if self.masks is not None:
            masks, others = masks_of(self.masks, (*files.images, *files.unread))
        for path, reason in files.ignored.items():
            yield Outcome(path, None, "ignored", reason)
        for path in others:
            yield Outcome(path, None, "ignored", "the mask of no image")
        for path in files.unread:
            reason = f"{path.suffix} is not read; convert it to PNG"
            yield Outcome(path, None, "failed", reason)
        for path, out in files.images.items():
            if os.path.exists(out) and not self.force:  # unlike Path's, False for too long a name
                yield Outcome(path, out, "exists", "left as it is; --force writes it again")
            else:
                yield self._one(path, out, masks.get(path))

    def _one(self, path: Path, out: Path, mask_path: Path | None) -> Outcome:
        try:
            picture = read_picture(path, self.max_megapixels)
            mask = self._mask(mask_path, picture)
            changed = self._apply(composed(path.name), picture.rgb, mask)
            distances = measure(changed, picture.rgb)
            write_picture(out, Picture(changed, picture.alpha, picture.profile))
        except (UnreadablePictureError, PluginError, OSError, MemoryError, RuntimeError) as error:
            return Outcome(path, None, "failed", _reason(error))
        return Outcome(path, out, "done", self._note(changed, picture.rgb, mask), distances)

    def _note(
        self, changed: NDArray[np.uint8], picture: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> str:
        """What else is worth knowing: that nothing was changed, what a mask keeps, and whether it
        was heeded."""
        moved = (changed != picture).any(axis=2)
        told = [] if moved.any() else ["no pixel was changed"]
        if mask is not None:
            told.append(f"its mask keeps {mask.mean():.0%}")
            if moved[~mask].mean() > HEEDLESS:
                told.append("which this protection does not heed")
        return ", ".join(told)

    def _apply(
        self, name: str, picture: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> NDArray[np.uint8]:
        """The changed picture, uint8 (H, W, 3)."""

        def change(shown: Tensor, masks: Tensor | None, first: int) -> Tensor:
            if masks is not None and self.fit == "resize" and not masks.any():
                raise UnreadablePictureError(
                    f"its mask keeps nothing at the {self.model.image_size} pixels that the model"
                    " sees; take --fit tile, or cut the picture around it"
                )
            results: dict[str, Protected] = {}
            for label, component in self.required.items():
                results[label] = self._call(component, name, shown, masks, results, first)
            changed: Tensor = self._call(self.component, name, shown, masks, results, first).images
            return changed

        def away(wanted: Tensor, original: Tensor) -> Tensor:
            return round_to_8bit(wanted)

        protects = self.component.kind == "protection"
        return FITTINGS[self.fit](
            picture, mask, self.model.image_size, change, round_toward if protects else away
        )

    def _call(
        self,
        component: Component,
        name: str,
        shown: Tensor,
        masks: Tensor | None,
        results: Mapping[str, Protected],
        first: int,
    ) -> Any:
        """What a plugin makes of images, the first of which is that number among the picture's."""
        part = [first] if first else []
        seed = derive_seed(component.kind, "pictures", name, self.seed, *part)
        context = Context(
            generator=torch.Generator().manual_seed(seed),
            model=self.model,
            masks=masks,
            results=results,
            progress=self.progress,
        )
        label = f"{component.kind} {component.label}"
        try:
            plugin = component.create()
            if reason := self._reason_to_skip(component, plugin, name):
                raise PluginError(label, f"does not apply: {reason}", State.SKIPPED)
            return plugin(shown, with_models(context, self.further))
        except PluginError:
            raise
        except MemoryError:
            raise PluginError(label, "does not fit into memory") from None
        except Exception as error:
            raise PluginError(label, f"failed: {error}") from error

    def _reason_to_skip(self, component: Component, plugin: object, name: str) -> str | None:
        if component.kind == "purifier":
            return hooks(plugin, PurifierHooks).skip(self.model)
        return hooks(plugin, ProtectionHooks).skip(name, self.model)

    def _mask(self, path: Path | None, picture: Picture) -> NDArray[np.bool_] | None:
        """White where the image's mask, of the same name, says that an editor keeps it."""
        if self.masks is None:
            return None
        if path is None:
            raise UnreadablePictureError(f"has no mask in {self.masks}")
        try:
            return read_mask(path, self.max_megapixels, picture.rgb.shape)
        except UnreadablePictureError as error:
            raise UnreadablePictureError(f"its mask {path} {error}") from None


def resolve(
    registry: Registry, kind: str, text: str, settings: Mapping[str, Mapping[str, Any]]
) -> tuple[Component, dict[str, Component]]:
    """A plugin as it was written, with `settings`, by group and name, for what that leaves open,
    and the protections it requires, each after those that it requires itself. Raises ConfigError
    and PluginError."""
    component = registry.resolve(f"{kind}s", parse_spec(text), settings)
    if component.surrogate:
        raise ConfigError(f"{text}: name its model by --model, not as its surrogate")
    required: dict[str, Component] = {}
    asked = list(component.requires)
    while asked:
        name = asked.pop()
        if name not in required:
            other = registry.resolve("protections", parse_spec(name), settings)
            required = {name: other, **required}
            asked.extend(other.requires)
    return component, required


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return "does not fit into memory; take --fit tile, or a smaller picture"
    if isinstance(error, OSError):
        if error.errno == errno.ENAMETOOLONG:
            return "the name of its result is longer than the file system allows; shorten its own"
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    return str(error)
