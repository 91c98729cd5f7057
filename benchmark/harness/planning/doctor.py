"""`impress-bench doctor`: what a preset needs and this machine lacks, before anything runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.devices import device_problem
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.models.families.known import model_problem
from impress_bench.benchmark.models.hub import is_source, missing
from impress_bench.benchmark.sandbox.memory_group import held_by
from impress_bench.benchmark.spec import Spec
from impress_bench.metrics.lpips import missing_weights
from impress_bench.metrics.missing import missing_library


class Finding(NamedTuple):
    """One thing that the preset needs, or could use if it is `optional`; `problem` says how to get
    it, or is empty."""

    what: str
    problem: str
    optional: bool = False


def examine(preset: Preset, store: Path, registry: Registry) -> Iterator[Finding]:
    """Findings on a preset: its device, disk, models, plugins, data and judges, and libraries of
    metrics, which are optional unless the preset has the metric."""
    yield Finding(
        f"device {preset.device}", device_problem(preset.device, preset.needs.gpu_memory_gb)
    )
    yield Finding(f"disk for {store}", _disk(preset.needs.disk_gb, store))
    yield Finding(f"limit of memory of other packages' plugins: {held_by()}", "")
    components: list[Component] = []
    for field in ("tasks", "protections", "purifiers"):
        for spec in preset.specs(field):
            yield from _resolved(preset, registry, field, spec, components)
    for source, problem in dict(_sources(preset, components)).items():
        yield Finding(f"model {source}", problem(source))
    for net in dict.fromkeys(_lpips_nets(components)):
        yield Finding(f"LPIPS {net}", missing_weights(net))
    for component in components:
        if component.kind == "task":
            yield Finding(f"subjects of {component.label}", _subjects(component))
    yield from _libraries(preset, registry)


def _libraries(preset: Preset, registry: Registry) -> Iterator[Finding]:
    """The package's own metrics whose library is an extra."""
    asked = {spec.name for spec in preset.specs("metrics")}
    for name, (entry, *_) in sorted(registry.entries["metrics"].items()):
        if entry.dist is None or entry.dist.name != "impress-bench":
            continue
        if library := getattr(entry.load(), "library", None):
            problem = missing_library(*library)
            told = f"is skipped: {problem}" if problem else ""
            yield Finding(f"metric {name}", told, name not in asked)


def _resolved(
    preset: Preset, registry: Registry, field: str, spec: Spec, components: list[Component]
) -> Iterator[Finding]:
    """A finding on a component, and one more for each task within which it is another; adds what
    was found to `components`."""
    told = None
    for task in ["", *(preset.settings.within if field != "tasks" else [])]:
        label = f"{field.removesuffix('s')} {spec}" + (f" in {task}" if task else "")
        try:
            component = registry.resolve(field, spec, preset.settings.of(task))
        except (PluginError, ConfigError) as error:
            skipped = isinstance(error, PluginError) and error.state is State.SKIPPED
            problem = "" if skipped else str(error)
        else:
            if component in components:
                continue
            components.append(component)
            problem = ""
        if not problem or problem != told:
            yield Finding(label, told := problem)


def _disk(wanted_gb: float, store: Path) -> str:
    there = next(
        folder for folder in (store.absolute(), *store.absolute().parents) if folder.is_dir()
    )
    free = shutil.disk_usage(there).free / 2**30
    if free < wanted_gb:
        return f"{free:.1f} GiB are free, {wanted_gb:g} are needed; name another folder by --store"
    return ""


def _sources(
    preset: Preset, components: list[Component]
) -> Iterator[tuple[str, Callable[[str], str]]]:
    """Models named as folders, files or hub ids, each with the check for it: those of the roles, of
    surrogates and of judges."""
    for component in components:
        judging = component.parameters.get("judging", {})
        if is_source(source := judging.get("clip", "")):
            yield source, missing
        if is_source(source := judging.get("diffusion_model", "")):
            yield source, model_problem
        for source in filter(is_source, (component.surrogate, *component.further_models)):
            yield source, model_problem
    for source in filter(is_source, preset.models.roles().values()):
        yield source, model_problem


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
