"""What boards need of a run besides its tables: from a plan, and from the folder of a run."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from impress_bench.benchmark.contract import PluginError, PluginHooks, ProtectionHooks, hooks
from impress_bench.benchmark.errors import ConfigError, unknown
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.plugins.component import OURS, load_target, readable
from impress_bench.benchmark.harness.plugins.listing import list_components
from impress_bench.benchmark.harness.plugins.registry import KINDS, Registry
from impress_bench.benchmark.harness.stages.inspect import MEASURES
from impress_bench.benchmark.spec import parse_spec
from impress_bench.leaderboard.meta import BoardMeta, Roles
from impress_bench.leaderboard.schema import control


def board_meta(plan: Plan) -> BoardMeta:
    """Titles, order and remarks of a run. Raises ConfigError for a wrong key in `[display]`."""
    preset = plan.preset
    tasks = [planned.task for planned in plan.tasks]
    fields: dict[str, Any] = {
        "preset": preset.name,
        "title": preset.title,
        "model": preset.models.target,
        "metrics": {
            planned.name: [*planned.task.scaled, *planned.metrics] for planned in plan.tasks
        },
        "inspections": [*MEASURES, *(metric for task in tasks for metric in task.inspections)],
        "controls": {
            planned.name: [control(name) for name in planned.task.controls]
            for planned in plan.tasks
        },
        "chance": {name: level for task in tasks for name, level in task.chance().items()},
        "protections": [str(spec) for spec in preset.specs("protections")],
        "purifiers": [str(spec) for spec in preset.specs("purifiers")],
        "settings": preset.settings.model_dump(mode="json"),
        "boards": preset.boards,
        "paper": preset.paper,
        **preset.display,
        "titles": {**_titles(plan), **preset.display.get("titles", {})},
        "about": {**about_listed(preset), **preset.display.get("about", {})},
        "lpips_budgets": _lpips_budgets(plan),
    }
    try:
        return BoardMeta.of(fields)
    except ValidationError as error:
        first = error.errors()[0]
        *within, key = map(str, first["loc"])
        if first["type"] == "extra_forbidden":
            table = Roles if within else BoardMeta
            message = unknown("key", key, table.model_fields)
        else:
            message = f"{'.'.join([*within, key])}: {first['msg']}"
        raise ConfigError(f"{'.'.join([preset.where('display'), *within])}: {message}") from None


def _lpips_budgets(plan: Plan) -> dict[str, float]:
    """The LPIPS that this package's protections of a plan have as a budget, by spec: the largest
    where tasks have settings of their own. Other people's code is not asked in this process."""
    budgets: dict[str, float] = {}
    for component in plan.components.values():
        if component.kind != "protection" or not component.ours:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # planning has warned already
            budget = hooks(component.create(), ProtectionHooks).budget.lpips
        if budget is not None:
            budgets[component.label] = max(budget, budgets.get(component.label, budget))
    return budgets


def read_meta(document: Mapping[str, Any]) -> BoardMeta:
    """What a run's provenance.json holds for boards.

    Results that were stored without titles, or without what each plugin is, get what this version's
    plugins have, by the names of the components in the provenance. Raises KeyError or ValueError
    for other documents.
    """
    fields = dict(document["boards"])
    origins = document.get("parts", [document])
    if "titles" not in fields:
        fields |= _shown_now(_ours(origins))
    if "about" not in fields:
        fields["about"] = _about(_ours(origins), ours=True)
    return BoardMeta.of(fields)


def _ours(origins: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Kind and registered name of this package's plugins that were run."""
    return {
        one
        for origin in origins
        for label, stored in origin["components"].items()
        if stored["distribution"] == OURS
        for one in _names(_without_task(label, origin["preset"]["tasks"]))
    }


def about_listed(preset: Preset) -> dict[str, str]:
    """One sentence per plugin that a preset lists, by kind and registered name."""
    listed = [
        f"{KINDS[field]} {spec}"
        for field in ("tasks", "protections", "purifiers", "metrics")
        for spec in preset.specs(field)
    ]
    return _about({named for label in listed for named in _names(label)})


def _about(named: set[tuple[str, str]], ours: bool = False) -> dict[str, str]:
    """One sentence per installed plugin of these kinds and registered names; with `ours`, this
    package's alone."""
    return {
        f"{one.kind} {one.name}": one.summary
        for one in list_components(Registry(), named)
        if one.summary and (not ours or one.distribution == OURS)
    }


def _shown_now(named: set[tuple[str, str]]) -> dict[str, Any]:
    """Titles and inspections as this package's plugins of the same names declare them now."""
    registry = Registry()
    titles: dict[str, str] = {}
    inspections = list(MEASURES)
    for kind, name in sorted(named):
        titles[name] = readable(name)
        try:
            target = registry.entry(f"{kind}s", name).value
            factory: Any = load_target(kind, name, target)
        except (ConfigError, PluginError):
            continue
        titles[name] = hooks(factory, PluginHooks).title or titles[name]
        if kind == "task":
            inspections += factory.inspections
            titles |= _control_titles(factory)
    return {"titles": titles, "inspections": inspections}


def _titles(plan: Plan) -> dict[str, str]:
    """Titles of tasks, their controls and plugins by registered name."""
    titles: dict[str, str] = {}
    for planned in plan.tasks:
        titles |= planned.component.titles() | _control_titles(planned.task)
    components = {id(part): part for stage in plan.stages.values() for part in stage.plugins}
    for component in components.values():
        titles |= component.titles()
    return dict(sorted(titles.items()))


def _control_titles(task: Any) -> dict[str, str]:
    return {control(name): title for name, title in task.controls.items()}


def _without_task(label: str, tasks: Iterable[str]) -> str:
    """`purifier impress` of `purifier impress in style-mimicry`: it has its own settings there."""
    names = [parse_spec(task).name for task in tasks]
    return min((label.removesuffix(f" in {name}") for name in names), key=len)


def _names(label: str) -> Iterator[tuple[str, str]]:
    """Kind and registered name of each part of a stored component: `purifier jpeg>resize`."""
    kind, _, text = label.partition(" ")
    spec = parse_spec(text)
    for link in spec.links:
        yield kind, link.name
        for adaptation in link.adaptations:
            yield "adaptation", adaptation.name
