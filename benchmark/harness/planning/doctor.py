"""`impress-bench doctor`: what a preset needs and this machine lacks, before anything runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.models.hub import is_source, missing
from impress_bench.metrics.lpips import missing_weights


class Finding(NamedTuple):
    """One thing that the preset needs; `problem` says how to get it, or is empty."""

    what: str
    problem: str


def examine(preset: Preset, store: Path, registry: Registry) -> Iterator[Finding]:
    """Findings on a preset: its device, disk, models, plugins, data and judges."""
    yield Finding(f"device {preset.device}", _device(preset))
    yield Finding(f"disk for {store}", _disk(preset.needs.disk_gb, store))
    components = []
    for field in ("tasks", "protections", "purifiers"):
        for spec in preset.specs(field):
            try:
                component = registry.resolve(field, spec, preset.settings.model_dump())
            except (PluginError, ConfigError) as error:
                skipped = isinstance(error, PluginError) and error.state is State.SKIPPED
                yield Finding(f"{field.removesuffix('s')} {spec}", "" if skipped else str(error))
            else:
                components.append(component)
                yield Finding(f"{component.kind} {spec}", "")
    for source in dict.fromkeys(_sources(preset, components)):
        yield Finding(f"model {source}", missing(source))
    for net in dict.fromkeys(_lpips_nets(components)):
        yield Finding(f"LPIPS {net}", missing_weights(net))
    for component in components:
        if component.kind == "task":
            yield Finding(f"subjects of {component.label}", _subjects(component))


def _device(preset: Preset) -> str:
    if preset.device == "cpu":
        return ""
    import torch

    if not torch.cuda.is_available():
        return 'torch sees no GPU; run on a machine with one, or set device = "cpu"'
    has = torch.cuda.get_device_properties(0).total_memory / 2**30
    if has < preset.needs.gpu_memory_gb:
        return (
            f"the GPU has {has:.0f} GiB and the preset needs {preset.needs.gpu_memory_gb:g};"
            " lower fine_tuning_microbatch and sampling_batch, or use a larger GPU"
        )
    return ""


def _disk(wanted_gb: float, store: Path) -> str:
    there = next(
        folder for folder in (store.absolute(), *store.absolute().parents) if folder.is_dir()
    )
    free = shutil.disk_usage(there).free / 2**30
    if free < wanted_gb:
        return f"{free:.1f} GiB are free, {wanted_gb:g} are needed; name another folder by --store"
    return ""


def _sources(preset: Preset, components: list[Component]) -> Iterator[str]:
    """Models named as folders or hub ids: those of the roles, of surrogates and of judges."""
    yield from filter(is_source, preset.models.roles().values())
    for component in components:
        if is_source(component.surrogate):
            yield component.surrogate
        for name in ("clip", "diffusion_model"):
            source = component.parameters.get("judging", {}).get(name, "")
            if is_source(source):
                yield source


def _lpips_nets(components: list[Component]) -> Iterator[str]:
    for component in components:
        for part in (component, *component.adaptations, *component.then):
            if net := part.parameters.get("lpips_net"):
                yield str(net)


def _subjects(component: Component) -> str:
    try:
        component.create().subjects()
    except PluginError as error:
        return str(error)
    return ""
