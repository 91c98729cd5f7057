"""What `impress-bench list NAME` shows: what a plugin is, and each parameter with its default."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

from impress_bench.benchmark.contract import PluginHooks, hooks
from impress_bench.benchmark.errors import ConfigError, plugin_error, unknown
from impress_bench.benchmark.harness.config.loading import shipped_presets
from impress_bench.benchmark.harness.plugins.component import OURS, load_target, readable
from impress_bench.benchmark.harness.plugins.listing import list_components
from impress_bench.benchmark.harness.plugins.registry import KINDS, Registry
from impress_bench.benchmark.texts import read_text

#: The section of a class's docstring that describes its parameters, to the next section or the end.
ARGS = re.compile(r"^(?:Args|Parameters):\n((?:[ \t]+.*\n?|\n)*)", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


class Parameter(NamedTuple):
    """A parameter: its default, None if it has none or that is None, and what it does."""

    name: str
    default: Any
    required: bool
    about: str


class Details(NamedTuple):
    """One plugin, or a preset; `about` is its docstring without the parameters."""

    kind: str
    name: str
    title: str
    about: str
    distribution: str
    version: str
    target: str
    parameters: list[Parameter]


def details(name: str, registry: Registry) -> list[Details]:
    """The plugins of all kinds that are registered as `name`, and the shipped preset of that name.
    Imports the plugins.

    Raises ConfigError for an unknown name, PluginError for a plugin that cannot be imported.
    """
    presets = shipped_presets()
    found = [
        _described(registry, group, name)
        for group, named in registry.entries.items()
        if name in named
    ]
    if name in presets:
        stated = tomllib.loads(read_text(presets[name]))
        title, about = (str(stated.get(key, "")) for key in ("title", "description"))
        found.append(
            Details("preset", name, title, about, OURS, version(OURS), str(presets[name]), [])
        )
    if not found:
        known = {one for named in registry.entries.values() for one in named} | {*presets}
        raise ConfigError(unknown("plugin or preset", name, sorted(known)))
    return found


def _described(registry: Registry, group: str, name: str) -> Details:
    kind, entry = KINDS[group], registry.entry(group, name)
    factory = load_target(kind, name, entry.value)
    (listed,) = list_components(registry, {(kind, name)})
    text = _docstring(factory) or listed.summary
    about = re.sub(r"\n{3,}", "\n\n", ARGS.sub("", text)).strip()
    source = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
    title = hooks(factory, PluginHooks).title or readable(name)
    try:
        parameters = list(_settings(factory) if kind == "task" else _parameters(factory, text))
    except (AttributeError, TypeError, ValueError) as error:
        raise plugin_error(kind, name, "has no readable parameters", error) from error
    return Details(kind, name, title, about, *source, entry.value, parameters)


def _docstring(factory: object) -> str:
    """Of a class or function, its own: neither a base class's nor that of an object's class."""
    stands_alone = inspect.isclass(factory) or inspect.isroutine(factory)
    own = vars(factory).get("__doc__") if inspect.isclass(factory) else factory.__doc__
    return inspect.cleandoc(own or "") if stands_alone else ""


def _parameters(factory: Callable[..., Any], text: str) -> Iterator[Parameter]:
    """Those of the signature, each with its entry in the docstring `text`. Raises TypeError or
    ValueError without a signature."""
    section = ARGS.search(text)
    told = dict(ENTRY.findall(section[1])) if section else {}
    for name, one in inspect.signature(factory).parameters.items():
        if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD):
            required = one.default is one.empty
            default = None if required else one.default
            yield Parameter(name, default, required, " ".join(told.get(name, "").split()))


def _settings(factory: Any) -> Iterator[Parameter]:
    """Those of a task: the fields of its pydantic model."""
    for name, field in factory.Settings.model_fields.items():
        required = field.is_required()
        default = None if required else field.get_default(call_default_factory=True)
        yield Parameter(name, default, required, field.description or "")
