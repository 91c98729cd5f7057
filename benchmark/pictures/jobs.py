"""A protection or purifier on a folder of one's own images.

Every image is a job of its own: what goes wrong with one is told and costs no other, and its
randomness comes from its name, so that neither order nor neighbours change it.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impress_bench.benchmark.contract import NORMS, Context, PluginError, Protected
from impress_bench.benchmark.datasets.pictures import (
    SUFFIXES,
    Picture,
    UnreadablePictureError,
    read_picture,
)
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.storage.keys import derive_seed
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.pictures.fitting import FITTINGS
from impress_bench.benchmark.pictures.writing import write_picture
from impress_bench.benchmark.pixels import (
    round_to_8bit,
    round_toward,
    to_pixels,
    to_tensor,
)
from impress_bench.benchmark.spec import parse_spec
from impress_bench.metrics import l2, linf, lpips_budget


@dataclass(frozen=True)
class Outcome:
    """How one file ended: `done`, `failed`, `exists` (left alone) or `ignored` (no image's name).

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
    """What is done to every image. `components` has the plugin and, by the names it asks for, the
    protections whose results it requires; `masks`, a folder, white on what an editor keeps."""

    component: Component
    required: Mapping[str, Component]
    model: LatentDiffusion
    fit: str = "resize"
    seed: int = 0
    masks: Path | None = None
    max_megapixels: float = 100.0
    force: bool = False
    progress: Callable[[int, int], None] = lambda done, total: None

    def run(self, files: Mapping[Path, Path]) -> Iterator[Outcome]:
        """Outcomes, one a file, as they come; `files` says where each is to be written."""
        for path, out in files.items():
            if path.suffix.lower() not in SUFFIXES:
                yield Outcome(path, None, "ignored", "not the name of an image")
            elif out.exists() and not self.force:
                yield Outcome(path, out, "exists", "left as it is; --force writes it again")
            else:
                yield self._one(path, out)

    def _one(self, path: Path, out: Path) -> Outcome:
        try:
            picture = read_picture(path, self.max_megapixels)
            mask = self._mask(path, picture)
            before = to_tensor(picture.rgb[None])
            after = self._apply(path.name, before, mask)
            write_picture(out, Picture(to_pixels(after)[0], picture.alpha, picture.profile))
        except (UnreadablePictureError, PluginError, OSError) as error:
            return Outcome(path, None, "failed", _reason(error))
        norms = {"linf": linf, "l2": l2, "lpips": lpips_budget}
        with torch.no_grad():
            distances = {name: float(norms[name](after, before)) for name in NORMS}
        return Outcome(path, out, "done", "", distances)

    def _apply(self, name: str, picture: Tensor, mask: Tensor | None) -> Tensor:
        """The changed picture (1, 3, H, W), 8-bit values in [0, 1]."""
        fitting = FITTINGS[self.fit](picture, self.model.image_size)
        shown = round_to_8bit(fitting.shown)
        masks = None
        if mask is not None:
            fitted = FITTINGS[self.fit](mask.expand(1, 3, -1, -1), self.model.image_size)
            masks = fitted.shown[:, 0] >= 0.5
        results: dict[str, Protected] = {}
        for label, component in self.required.items():
            results[label] = self._call(component, name, shown, masks, results)
        answer = self._call(self.component, name, shown, masks, results).images
        # Differences are between 8-bit images; what rounding took from `shown` is put back.
        restored = fitting.restore(fitting.shown + answer - shown)
        if self.component.kind == "protection":
            return round_toward(restored, picture)
        return round_to_8bit(restored)

    def _call(
        self,
        component: Component,
        name: str,
        shown: Tensor,
        masks: Tensor | None,
        results: Mapping[str, Protected],
    ) -> Any:
        seed = derive_seed(component.kind, "pictures", name, self.seed)
        context = Context(
            generator=torch.Generator().manual_seed(seed),
            model=self.model,
            masks=masks,
            results=results,
            progress=self.progress,
        )
        try:
            return component.create()(shown, context)
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(f"{component.kind} {component.label}", f"failed: {error}") from error

    def _mask(self, path: Path, picture: Picture) -> Tensor | None:
        """White where the image's mask, of the same name, says that an editor keeps it."""
        if self.masks is None:
            return None
        named = sorted(self.masks.glob(f"{glob.escape(path.stem)}.*"))
        found = [one for one in named if one.suffix.lower() in SUFFIXES]
        if not found:
            raise UnreadablePictureError(f"has no mask in {self.masks}")
        mask = read_picture(found[0], self.max_megapixels)
        if mask.rgb.shape != picture.rgb.shape:
            raise UnreadablePictureError(f"{found[0]} is not of its size")
        return to_tensor(mask.rgb[None]).mean(dim=1, keepdim=True)


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


def pairs(source: Path, target: Path) -> dict[Path, Path]:
    """Each file of a folder (or the one file) and where its result goes: the same stem, as PNG, or
    the whole name and `.png` where two files share a stem. Raises ConfigError."""
    if not source.exists():
        raise ConfigError(f"{source} does not exist; name a folder of images, or one image")
    if source.is_file():
        return {source: target / f"{source.stem}.png"}
    if target.resolve() == source.resolve():
        raise ConfigError(f"{target}: results go into a folder of their own")
    files = sorted(p for p in source.iterdir() if p.is_file() and not p.name.startswith("."))
    images = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not images:
        raise ConfigError(f"{source} holds no image ({', '.join(sorted(SUFFIXES))})")
    stems = [path.stem for path in images]
    return {
        path: target / f"{path.stem if stems.count(path.stem) == 1 else path.name}.png"
        for path in files
    }


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    return str(error)
