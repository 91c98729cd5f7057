"""Options that verbs have in common, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from impress_bench.benchmark.errors import ConfigError

if TYPE_CHECKING:
    from impress_bench.benchmark.harness.config.preset import Preset

Command = Callable[..., None]
#: Flags that name a folder of one's own images, each as the setting of a task that takes it.
OWN_IMAGES = ("artworks", "photos")


def selection(command: Command) -> Command:
    """The options that say what to run; `run` and `plan` have them in common."""
    options: list[Callable[[Any], Any]] = [
        click.option("--preset", default="mini", show_default=True, help="A name or a TOML file."),
        click.option(
            "--all",
            "preset",
            flag_value="all",
            help="The preset all: every protection, a few adapted, with every purifier.",
        ),
        click.option("--protections", help="Instead of the preset's: glaze[p=0.05],mist"),
        click.option("--purifiers", help="Instead of the preset's: none,jpeg[quality=75]"),
        click.option("--metrics", help="Instead of the preset's, besides the tasks': lpips"),
        click.option("--tasks", help="Instead of the preset's: style-mimicry"),
        click.option(
            "--subjects",
            help="How many of each task, or their names: 2, or a,b. Commas in a name want quotes.",
        ),
        click.option("--artworks", metavar="DIR", help="Artists of your own: a folder each."),
        click.option("--photos", metavar="DIR", help="Photos of your own, their masks in masks/."),
        click.option("--seeds", help="Seeds of the exploit: 0,1,2"),
        click.option(
            "--device",
            type=click.Choice(["cpu", "cuda"]),
            help="What stages compute on, instead of the preset's. [default: as the preset says]",
        ),
        click.option(
            "--isolate/--no-isolate",
            default=None,
            help="Plugins of other packages work in processes of their own, without a network, this"
            " environment's variables or a sight of the store; each of their stages starts Python,"
            " torch and the model again, which takes seconds. Or in this process, with all its"
            " rights. [default: as the preset says, which is apart]",
        ),
        click.option(
            "--store",
            type=click.Path(file_okay=False),
            help="Results by content. [default: IMPRESS_BENCH_STORE, or the user's cache folder]",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            help="Processes. [default: one per GPU, or as many as have cores for the preset's"
            " threads]",
        ),
    ]
    return _with(command, options)


def pictures(command: Command) -> Command:
    """What `protect` and `purify` have in common."""
    folder = click.Path(file_okay=False, path_type=Path)
    options: list[Callable[[Any], Any]] = [
        click.argument("source", type=click.Path(path_type=Path)),
        click.argument("target", type=folder),
        click.option("--model", default="atelier", show_default=True, help="The surrogate."),
        click.option(
            "--preset", default="paper", show_default=True, help="Whose settings plugins get."
        ),
        click.option(
            "--fit",
            type=click.Choice(["resize", "tile"]),
            default="resize",
            show_default=True,
            help="Show the model the whole image at its size, or the image's own pixels in tiles.",
        ),
        click.option("--masks", type=folder, help="Images of the same names, white on heads."),
        click.option("--seed", default=0, show_default=True),
        click.option(
            "--max-megapixels",
            default=100.0,
            show_default=True,
            type=click.FloatRange(min=0, min_open=True),
        ),
        click.option("--force", is_flag=True, help="Write results again that are there already."),
        click.option("--json", "as_json", is_flag=True, help="Print outcomes as JSON."),
        click.option("--quiet", is_flag=True, help="Show no progress."),
        click.pass_context,
    ]
    return _with(command, options)


def select(preset: Preset, flags: Mapping[str, Any]) -> Preset:
    """The preset with what the flags name instead; errors name the flag."""
    own = {name: folder for name in OWN_IMAGES if (folder := flags.get(name)) is not None}
    values = values_of({name: text for name, text in flags.items() if name not in OWN_IMAGES})
    if own:
        from impress_bench.benchmark.harness.planning.user_images import with_user_images
        from impress_bench.benchmark.harness.plugins.registry import Registry

        preset = with_user_images(preset, values.get("tasks", preset.tasks), own, Registry())
    return preset.override({name: f"--{name}" for name in values}, **values) if values else preset


def values_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """What the flags that were given stand for."""
    return {name: _value(name, text) for name, text in flags.items() if text is not None}


def _with(command: Command, options: list[Callable[[Any], Any]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _value(name: str, text: Any) -> Any:
    from impress_bench.benchmark.spec import parse_specs, split_top_level, unquoted

    if name in ("isolate", "device"):
        return text
    try:
        if name in ("protections", "purifiers", "metrics", "tasks"):
            return [str(spec) for spec in parse_specs(text)]
        parts = split_top_level(text)
    except ConfigError as error:
        raise ConfigError(f"--{name}: {error}") from None
    if name == "subjects":
        return int(text) if _is_number(text.strip()) else [unquoted(part) for part in parts]
    if not parts or not all(map(_is_number, parts)):
        raise ConfigError(f"--seeds: {text!r} is no list of whole numbers such as 0,1,2")
    return [int(part) for part in parts]


def _is_number(text: str) -> bool:
    """Whether a text is a whole number that Python reads."""
    return text.isdecimal() and len(text) < 20
