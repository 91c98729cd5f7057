"""The user's own images as subjects of tasks: `--artworks DIR`, `--photos DIR`.

A task takes them by a setting of that name, which it lists in its `files`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from impress_bench.benchmark.contract import PluginHooks, hooks
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import load_target
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.spec import parse_spec


def with_user_images(
    preset: Preset, tasks: Iterable[str], folders: Mapping[str, str], registry: Registry
) -> Preset:
    """`preset` with the subjects of `tasks` taken from `folders`, which maps settings such as
    "artworks" to paths. Raises ConfigError for a setting that none of `tasks` has.
    """
    names = [parse_spec(text).name for text in tasks]
    settings = preset.settings.model_dump()
    for setting, folder in folders.items():
        takers = [name for name in names if setting in _files(registry, name)]
        if not takers:
            raise ConfigError(
                f"--{setting}: {', '.join(names)} takes no {setting}; name a task that does by"
                " --tasks, or leave the option out"
            )
        for name in takers:
            settings["tasks"].setdefault(name, {})[setting] = folder
    return preset.override(preset.overrides, settings=settings)


def _files(registry: Registry, task: str) -> tuple[str, ...]:
    target = registry.entry("tasks", task).value
    return hooks(load_target("task", task, target), PluginHooks).files
