"""The process of a third party's plugin: `python -m …serve_plugin FOLDER`.

It reads its job from a folder, runs the plugin, and writes PNGs and a document into `out/`. It runs
under the interpreter of the environment in which the plugin is installed, which needs this package
in the same version. The reader trusts nothing that it writes.
"""

from __future__ import annotations

import json
import os
import random
import sys
import traceback
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from impress_bench.benchmark.contract import ImageSet, PluginError
from impress_bench.benchmark.errors import ConfigError, plugin_error
from impress_bench.benchmark.harness.plugins.component import OURS, Component
from impress_bench.benchmark.harness.plugins.messages import (
    ANSWER,
    IMAGES_IN,
    IMAGES_OUT,
    JOB,
    MASKS,
    PROTOCOL,
    budget_document,
    component_of,
)
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.stages.asking import Answer, Moved, Question, ask, ask_metric
from impress_bench.benchmark.harness.stages.environment import WARN, Environment, set_deterministic
from impress_bench.benchmark.models.numerics import Numerics

#: What a plugin's stage is called in messages.
STAGES = {"protection": "protect", "purifier": "purify", "metric": "measure"}


def main(place: str) -> None:
    """Do the job in the folder `place`."""
    folder = Path(place)
    job = json.loads((folder / JOB).read_bytes())
    try:
        if (job["protocol"], job["version"]) != (PROTOCOL, version(OURS)):
            other = f"{OURS} {version(OURS)} is not the version of the benchmark, {job['version']}"
            raise ConfigError(f"{sys.executable}: {other}; install that one")
        document = _serve(folder, job)
    except (ConfigError, PluginError) as error:
        document = {"failure": _failure(error)}
    partial = folder / IMAGES_OUT / f"{ANSWER}.part"
    partial.write_text(json.dumps(document))
    os.replace(partial, folder / IMAGES_OUT / ANSWER)


def _serve(folder: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    component = component_of(job["component"])
    if job["ask"] == "decide":
        return {"decided": Registry().decide(component, job["settings"])}
    try:
        return _apply(folder, job, component)
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        stage = STAGES[component.kind]
        failed = f"failed in {stage}"
        raise plugin_error(component.kind, component.label, failed, error) from error


def _apply(folder: Path, job: Mapping[str, Any], component: Component) -> dict[str, Any]:
    import torch

    role = component.kind
    env = Environment(
        {role: job["model"]}, device=job["device"], numerics=Numerics(**job["numerics"])
    )
    torch.set_num_threads(job["threads"])
    set_deterministic(WARN)
    model = None if role == "metric" else env.model(role, component.surrogate)
    torch.manual_seed(job["global_seed"])
    np.random.seed(job["global_seed"])
    random.seed(job["global_seed"])
    question = _question(folder, job, component)
    if model is None:
        reference = next((moved.images for moved in question.results.values()), None)
        return {"values": ask_metric(component, question.images, reference)}
    further = {name: env.model(role, name) for name in component.further_models}
    answer = ask(question, model, job["device"], env.progress, further)
    for name, pixels in zip(answer.images.names, answer.images.images, strict=True):
        Image.fromarray(pixels).save(folder / IMAGES_OUT / f"{name}.png")
    return _document(answer, env)


def _document(answer: Answer, env: Environment) -> dict[str, Any]:
    return {
        "budget": budget_document(answer.budget),
        "notes": {name: list(values) for name, values in answer.notes.items()},
        "reason": answer.reason[:4000],
        "passes": env.passes,
    }


def _question(folder: Path, job: Mapping[str, Any], component: Component) -> Question:
    names = tuple(f"{at:03d}" for at in range(job["count"]))
    masks = _pixels(folder / MASKS, names) > 127 if job["masks"] else None
    images = ImageSet(_pixels(folder / IMAGES_IN, names), names, tuple(job["titles"]), masks)
    results = {}
    for at, (name, distances, count, titles) in enumerate(job["results"]):
        called = tuple(f"{number:03d}" for number in range(count))
        moved = ImageSet(_pixels(folder / f"result-{at}", called), called, tuple(titles))
        results[name] = Moved(moved, distances)
    seed, subject = job["seed"], job["subject"]
    return Question(component, images, seed, subject, results, before=job["before"])


def _pixels(folder: Path, names: tuple[str, ...]) -> np.ndarray:
    pixels = []
    for name in names:
        with Image.open(folder / f"{name}.png") as image:
            pixels.append(np.asarray(image))
    return np.stack(pixels)


def _failure(error: ConfigError | PluginError) -> dict[str, Any]:
    if isinstance(error, ConfigError):
        return {"kind": "config", "message": str(error)[:4000]}
    trace = "".join(traceback.format_exception(error))
    return {
        "kind": "plugin",
        "state": str(error.state),
        "message": str(error).removeprefix(f"{error.plugin}: ")[:4000],
        "trace": trace[-100_000:],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
