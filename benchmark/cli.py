"""The command line: verbs only. Whatever is slow to import is imported where it is used."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click

from impress_bench.benchmark.harness.errors import ConfigError

if TYPE_CHECKING:
    from impress_bench.benchmark.harness.presets import Preset

USAGE_ERROR = 2
INTERRUPTED = 130


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 some cells failed, 2 bad usage, 130 interrupted."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE_ERROR)
    except ConfigError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(USAGE_ERROR)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. The same command goes on where this one stopped.", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("impress-bench"), prog_name="impress-bench")
def cli() -> None:
    """Does an image cloak survive? Protections against latent diffusion models, crossed with the
    purifiers that try to remove them."""


@cli.command()
@click.option("--preset", default="mini", show_default=True, help="A name or a TOML file.")
@click.option("--protections", help="Instead of the preset's: glaze[p=0.05],mist")
@click.option("--purifiers", help="Instead of the preset's: none,jpeg[quality=75]")
@click.option("--tasks", help="Instead of the preset's: style-mimicry")
@click.option("--subjects", help="How many of each task, or their names: 2, or a,b")
@click.option("--seeds", help="Seeds of the exploit: 0,1,2")
@click.option("--out", type=click.Path(file_okay=False), help="[default: runs/<preset>]")
@click.option(
    "--store",
    type=click.Path(file_okay=False),
    help="Results by content. [default: IMPRESS_BENCH_STORE, or the user's cache folder]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.pass_context
def run(
    context: click.Context,
    /,
    preset: str,
    out: str | None,
    store: str | None,
    as_json: bool,
    quiet: bool,
    **selection: str | None,
) -> None:
    """Run a preset and write its boards; what is stored already is not run again."""
    from impress_bench.benchmark.harness.presets import load_preset

    chosen = _select(load_preset(preset), selection)
    from impress_bench.benchmark.harness.progress import Reporter, reporter_for
    from impress_bench.benchmark.harness.run import run as run_preset

    result = run_preset(chosen, out, store, Reporter() if quiet else reporter_for(sys.stderr))
    if as_json:
        summary = {
            "out": str(result.out),
            "boards": [str(path) for path in result.boards],
            "cells": result.states,
            "stages": result.stages,
            "failures": result.failures,
        }
        click.echo(json.dumps(summary, indent=1, default=int))
    else:
        counts = ", ".join(f"{count} {state}" for state, count in result.states.items())
        click.echo(f"Cells: {counts}. Boards in {result.out / 'boards'}")
        for reason in dict.fromkeys(failure["reason"] for failure in result.failures):
            click.echo(f"  {reason}", err=True)
    context.exit(result.exit_code)


@cli.command()
@click.argument("run", type=click.Path(file_okay=False))
def report(run: str) -> None:
    """Write the boards of RUN again, from its stored results."""
    from impress_bench.benchmark.harness.run import report as write_again

    for path in write_again(run):
        click.echo(path)


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of records.")
def list_command(as_json: bool) -> None:
    """Show the tasks, protections, purifiers, models and presets, and which of them are broken."""
    from impress_bench.benchmark.harness.listing import list_components, list_presets
    from impress_bench.benchmark.harness.registry import Registry

    listings = [*list_components(Registry()), *list_presets()]
    if as_json:
        click.echo(json.dumps([item._asdict() for item in listings], indent=1, ensure_ascii=False))
        return
    width = max((len(item.name) for item in listings), default=0)
    for kind in dict.fromkeys(item.kind for item in listings):
        click.echo(f"{kind}s")
        for item in (item for item in listings if item.kind == kind):
            told = f"BROKEN: {item.problem}" if item.problem else item.summary
            click.echo(f"  {item.name:{width}}  {told}  ({item.distribution} {item.version})")


def _select(preset: Preset, selection: dict[str, str | None]) -> Preset:
    """The preset with what the flags name instead; errors name the flag."""
    given = {name: text for name, text in selection.items() if text is not None}
    values = {name: _value(name, text) for name, text in given.items()}
    return preset.override({name: f"--{name}" for name in given}, **values) if given else preset


def _value(name: str, text: str) -> Any:
    from impress_bench.benchmark.harness.spec import parse_specs, split_top_level

    try:
        if name in ("protections", "purifiers", "tasks"):
            return [str(spec) for spec in parse_specs(text)]
        parts = split_top_level(text)
    except ConfigError as error:
        raise ConfigError(f"--{name}: {error}") from None
    if name == "subjects":
        return int(text) if text.strip().isdigit() else parts
    if not parts or not all(part.isdigit() for part in parts):
        raise ConfigError(f"--seeds: {text!r} is no list of whole numbers such as 0,1,2")
    return [int(part) for part in parts]
