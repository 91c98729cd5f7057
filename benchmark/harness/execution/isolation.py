"""Stages of third-party plugins: the plugin in a process of its own, the rest in this one.

The other process gets images and returns images. Distances, budgets, scores and the store stay on
this side.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from impress_bench.benchmark.contract import ImageSet, PluginError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.messages import (
    IMAGES_IN,
    IMAGES_OUT,
    MASKS,
    Refused,
    read_bytes,
)
from impress_bench.benchmark.harness.plugins.plugin_process import Called, PluginProcess
from impress_bench.benchmark.harness.stages.asking import Answer, Moved, Question
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.stages.measure import Measure
from impress_bench.benchmark.harness.stages.parts import ask_in_parts
from impress_bench.benchmark.harness.stages.protect import Protect
from impress_bench.benchmark.harness.stages.purify import Purify
from impress_bench.benchmark.harness.storage.keys import derive_seed
from impress_bench.benchmark.harness.storage.result import Result


class Apart(NamedTuple):
    """The result of a stage, and the peak memory of the other process and all that it starts."""

    result: Result
    peak_bytes: int | None


class Isolation:
    """Which stages of a preset run in processes of their own, and how. Results do not change."""

    def __init__(self, preset: Preset, root: Path) -> None:
        self._wanted = preset.isolate or preset.plugin_python is not None
        self._roles = preset.models.roles()
        self._numerics = preset.numerics
        self._process = PluginProcess.of(preset, root)

    def covers(self, stage: Stage) -> bool:
        """Whether the preset isolates plugins, and a third-party one takes part in the stage."""
        return self._wanted and any(not plugin.ours for plugin in stage.plugins)

    def perform(self, stage: Stage, inputs: Mapping[str, Result], env: Environment) -> Apart:
        """The result of a stage. Raises PluginError if the process fails or its answer is
        invalid."""
        assert isinstance(stage, Protect | Purify | Measure)
        question = _question(stage, inputs)
        passes, peaks = Counter[str](), list[int]()
        env.unfinished.taken = lambda: passes

        @contextmanager
        def asked(part: Question) -> Iterator[Called]:
            job = self._job(stage, part)
            fill = partial(_write, question=part)
            with self._process.apply(part.component, job, fill) as called:
                passes.update(called.said.passes)
                peaks.extend([called.ending.peak_bytes] if called.ending.peak_bytes else [])
                yield called

        def answer_of(part: Question, _: Callable[[int, int], None]) -> Answer:
            part = part.neutral()
            with asked(part) as called:
                return _answer(stage.component, called, part.images)

        if isinstance(stage, Measure):
            with asked(question.neutral()) as called:
                result = stage.judge(inputs, called.said.values)
        else:
            at_once, kept = env.images_at_once, env.unfinished
            answer = ask_in_parts(question, answer_of, at_once, kept, env.progress)
            # The limit is the plugin's, which has ended.
            with env.stage(stage.threads, *stage.coordinates, limited=False):
                result = stage.judge(inputs, answer)
        return Apart(result, max(peaks, default=None))

    def _job(self, stage: Stage, question: Question) -> dict[str, Any]:
        """What the other process gets besides images."""
        images = question.images
        later = [question.before] if question.before else []  # parts draw what others did not
        return {
            "model": self._roles.get(question.component.kind, ""),
            "device": stage.device,
            "numerics": self._numerics.model_dump(),
            "threads": stage.threads,
            "seed": question.seed,
            "before": question.before,
            "global_seed": derive_seed("global", *stage.coordinates, *later),
            "subject": question.subject,
            "count": len(images.names),
            "titles": list(images.titles),
            "masks": images.masks is not None,
            "results": [
                [name, dict(moved.distances), len(moved.images.names), list(moved.images.titles)]
                for name, moved in question.results.items()
            ],
        }


def _question(stage: Protect | Purify | Measure, inputs: Mapping[str, Result]) -> Question:
    """The input of a stage's plugin; a metric's reference is passed as a result."""
    if not isinstance(stage, Measure):
        return stage.question(inputs)
    told = bool(stage.metric.shown.get("titles"))
    images, reference = (
        None if one is None else replace(one, titles=one.titles if told else (), masks=None)
        for one in stage.images(inputs)
    )
    assert images is not None
    results = {} if reference is None else {"reference": Moved(reference, {})}
    return Question(stage.metric, images, 0, results=results)


def _write(folder: Path, question: Question) -> None:
    """The images of a question as PNGs."""
    _save(folder / IMAGES_IN, question.images)
    if question.images.masks is not None:
        white = question.images.masks.astype(np.uint8) * 255
        (folder / MASKS).mkdir()
        for name, mask in zip(question.images.names, white, strict=True):
            Image.fromarray(mask).save(folder / MASKS / f"{name}.png")
    for at, moved in enumerate(question.results.values()):
        _save(folder / f"result-{at}", moved.images)


def _save(folder: Path, images: ImageSet) -> None:
    folder.mkdir()
    for name, pixels in zip(images.names, images.images, strict=True):
        Image.fromarray(pixels).save(folder / f"{name}.png")


def _answer(plugin: str, called: Called, like: ImageSet) -> Answer:
    """The returned images. Raises PluginError unless each is a PNG of the size of its input."""
    pixels = [_pixels(plugin, called.folder, name, like) for name in like.names]
    images = ImageSet(np.stack(pixels), like.names, like.titles, like.masks)
    said = called.said
    return Answer(images, said.budget.budget(), said.notes, said.reason)


def _pixels(plugin: str, folder: Path, name: str, like: ImageSet) -> np.ndarray:
    height, width = like.images.shape[1:3]
    try:
        data = read_bytes(folder, IMAGES_OUT, f"{name}.png", largest=4 * 3 * height * width + 2**16)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.size != (width, height) or image.mode != "RGB":
                given = f"{image.width} x {image.height} in {image.mode}"
                raise Refused(f"image {name} is {given}, not {width} x {height} in RGB")
            return np.asarray(image)
    except (Refused, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PluginError(plugin, f"returned no valid result: {error}") from None
