"""The stage that measures how consistent images are with a model's image space."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.harness.stages.base import Stage, images_of, one_per_image
from impress_bench.benchmark.harness.stages.environment import Environment, generator
from impress_bench.benchmark.harness.stages.parts import slices
from impress_bench.benchmark.harness.storage.image_codec import to_tensor
from impress_bench.benchmark.harness.storage.result import Result
from impress_bench.benchmark.metric import MetricInfo

#: What is measured of every image; a task may add to it (`Task.inspections`).
MEASURES = (
    MetricInfo("vae-error", "VAE reconstruction error", higher_is_better=False),
    MetricInfo("ldm-error", "LDM reconstruction error", higher_is_better=False),
    MetricInfo("lpips-to-clean", "LPIPS to the clean image", higher_is_better=None),
    MetricInfo(
        "clean-lpips", "LPIPS of the reconstruction to the clean image", higher_is_better=None
    ),
)


@dataclass(eq=False, kw_only=True, slots=True)
class Inspect(Stage):
    """How consistent images are with a model's image space, compared with their originals."""

    kind = "inspect"
    original: Stage
    images: Stage
    source: str
    model_identity: str

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
            "model": self.model_identity,
        }

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        import torch

        from impress_bench.benchmark.models.inconsistency import measure
        from impress_bench.benchmark.pixels import to_pixels
        from impress_bench.benchmark.seeds import per_image_generators
        from impress_bench.metrics import lpips_budget

        images = images_of(inputs["images"])
        model = env.model("target", self.task.surrogate)
        noise = generator("inspect", self.task_name, self.subject)
        noises = per_image_generators(noise, len(images.names))
        originals = to_tensor(images_of(inputs["original"]), env.device)
        pixels = to_tensor(images, env.device)
        measures: dict[str, list[float]] = {metric.name: [] for metric in MEASURES}
        reconstructed = []
        for part in slices(len(pixels), env.images_at_once):
            given, clean = pixels[part], originals[part]
            with torch.no_grad():
                decoded = model.reconstruct(given).clamp(0, 1)
                moved = lpips_budget(given, clean).tolist()
            found = measure(model, given, decoded, clean, noises[part]) | {"lpips-to-clean": moved}
            for name, values in measures.items():
                values += found[name]
            reconstructed.append(to_pixels(decoded))
        seen = replace(images, images=np.concatenate(reconstructed))
        measures |= env.task(self.task).inspect(self.subject, images, seen)
        record: dict[str, Any] = {"names": list(images.names), "measures": {}}
        for name, values in measures.items():
            if not one_per_image(values, images):
                raise PluginError(
                    self.component, f"{name} is not one finite value per image: {values}"
                )
            record["measures"][name] = [float(value) for value in values]
        return Result(record=record)
