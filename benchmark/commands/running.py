"""Running presets, and what can be had of runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from impress_bench.benchmark.commands.exits import STOPPED
from impress_bench.benchmark.commands.options import select, selection, values_of
from impress_bench.benchmark.texts import one_line


@click.command()
@selection
@click.option("--out", type=click.Path(file_okay=False), help="[default: runs/<preset>]")
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Processes of this machine, or a Ray cluster.",
)
@click.option("--address", help="Of the Ray cluster, such as auto. [default: one of its own]")
@click.option(
    "--save-images",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Write protected and purified images there as PNG, with a manifest; DIR is new or empty.",
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
    workers: int | None,
    executor: str,
    address: str | None,
    save_images: str | None,
    as_json: bool,
    quiet: bool,
    **flags: str | None,
) -> None:
    """Run a preset and write its boards; what is stored already is not run again."""
    from impress_bench.benchmark.harness.config.loading import load_preset

    chosen = select(load_preset(preset), flags)
    from impress_bench.benchmark.harness.execution.progress import Reporter, reporter_for
    from impress_bench.benchmark.harness.runs.reports import summary_of
    from impress_bench.benchmark.harness.runs.run import run as run_preset

    reporter = Reporter() if quiet else reporter_for(sys.stderr)
    result = run_preset(chosen, out, store, reporter, workers, executor, address, save_images)
    if as_json:
        summary = {
            "out": str(result.out),
            "boards": [str(path) for path in result.boards],
            "cells": result.states,
            "stages": result.stages,
            "failures": result.failures,
            "saved": [str(path) for path in result.saved],
        }
        click.echo(json.dumps(summary, indent=1, default=int))
    else:
        for line in summary_of(result.out):
            click.echo(one_line(line))
        counts = ", ".join(f"{count} {state}" for state, count in result.states.items())
        click.echo(f"Cells: {counts}. Boards: {result.out / 'boards' / 'LEADERBOARD.md'}")
        if result.saved:
            size = sum(path.stat().st_size for path in result.saved) / 1e6
            click.echo(f"{len(result.saved) - 1} images, {size:.1f} MB, in {save_images}")
        for reason in dict.fromkeys(failure["reason"] for failure in result.failures):
            click.echo(one_line(f"  {reason}"), err=True)
    context.exit(result.exit_code)


@click.command()
@selection
@click.option(
    "--probe",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Where nobody knows how long a stage takes, begin one for so long; 0 does not.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(
    preset: str,
    store: str | None,
    workers: int | None,
    probe: float,
    as_json: bool,
    **flags: str | None,
) -> None:
    """Show what `run` would do with the same options, what is stored, and how long it will take."""
    from impress_bench.benchmark.harness.config.loading import load_preset

    chosen = select(load_preset(preset), flags)
    from impress_bench.benchmark.harness.runs.reports import forecast_run

    found = forecast_run(
        chosen, store, probe, lambda message: click.echo(message, err=True), workers
    )
    click.echo(json.dumps(found.as_dict(), indent=1) if as_json else "\n".join(found.lines()))


@click.command()
@selection
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of findings.")
@click.pass_context
def doctor(
    context: click.Context,
    /,
    preset: str,
    store: str | None,
    workers: int | None,
    as_json: bool,
    **flags: str | None,
) -> None:
    """Say what `run` with the same options lacks on this machine, and how to get it.

    Exit code 1 if something is missing that is not optional.
    """
    from impress_bench.benchmark.harness.config.loading import load_preset
    from impress_bench.benchmark.harness.planning.doctor import examine
    from impress_bench.benchmark.harness.plugins.registry import Registry
    from impress_bench.benchmark.harness.storage.store import default_root

    chosen = select(load_preset(preset), flags)
    found = []
    for finding in examine(chosen, Path(store) if store else default_root(), Registry()):
        found.append(finding)
        if not as_json:
            state = "optional" if finding.optional else "MISSING"
            told = f"{state} {finding.what}: {finding.problem}"
            click.echo(one_line(told if finding.problem else f"there    {finding.what}"))
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in found], indent=1))
    lacking = any(finding.problem and not finding.optional for finding in found)
    context.exit(STOPPED if lacking else 0)


@click.command()
@click.argument("run", type=click.Path(file_okay=False))
@click.option(
    "--html", type=click.Path(file_okay=False), help="Write a page of it there, too: index.html."
)
def report(run: str, html: str | None) -> None:
    """Write the boards of RUN again, from its stored results."""
    from impress_bench.benchmark.harness.runs.reports import report as write_again
    from impress_bench.benchmark.harness.runs.reports import write_page

    for path in write_again(run):
        click.echo(path)
    if html is not None:
        write_page(run, html)
        click.echo(Path(html) / "index.html")


@click.command()
@click.argument("runs", type=click.Path(file_okay=False), nargs=-1, required=True)
@click.option("--out", type=click.Path(file_okay=False), required=True)
def merge(runs: tuple[str, ...], out: str) -> None:
    """Write the boards of RUNS, parts of one preset, together into --out.

    Parts are runs narrowed by --tasks, --subjects, --protections, --purifiers or --seeds, on one
    machine or many. --out may be one of RUNS."""
    from impress_bench.benchmark.harness.runs.merge import merge as merge_runs

    for path in merge_runs(runs, out):
        click.echo(path)


@click.command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--with",
    "published",
    multiple=True,
    metavar="FOLDER",
    help="Results, or a folder of such; the word published: the benchmark's own, in a clone's"
    " leaderboard/results. [default: published]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def compare(run: Path, published: tuple[str, ...], as_json: bool) -> None:
    """Show the protections of RUN among published ones, paired by subject.

    No rival is run again: published results of the same model, settings and code are read, that of
    the preset `mini` for a run of `submission`. A folder called published is given as ./published.
    """
    from impress_bench.benchmark.errors import ConfigError
    from impress_bench.benchmark.harness.runs.comparison import (
        PUBLISHED,
        RESULTS,
        published_results,
    )
    from impress_bench.benchmark.harness.runs.comparison import compare as compare_runs
    from impress_bench.leaderboard.render import VIEWS

    if not run.is_dir():
        raise ConfigError(f"{run}: no such folder; name the folder given to run as --out")
    folders = []
    for name in published or (PUBLISHED,):
        folder = published_results() if name == PUBLISHED else Path(name)
        if folder is None:
            raise ConfigError(
                f"--with: there is no {RESULTS} here; call this in a clone of the benchmark's"
                " repository, which holds the published results, or name its folder of them"
            )
        folders.append(folder)
    board = compare_runs(run, folders)
    click.echo(VIEWS["json" if as_json else "md"](board), nl=False)


@click.command()
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--subjects", help="Only these: 2, or a,b")
@click.option("--protections", help="Only these rows: glaze")
@click.option("--purifiers", help="Only these rows: none,impress")
@click.option("--out", type=click.Path(file_okay=False), help="[default: RUN]")
@click.option("--store", type=click.Path(file_okay=False), help="The store that RUN was run with.")
@click.option("--format", "forms", default="png", show_default=True, help="png, svg, or png,svg")
def figures(run: str, out: str | None, store: str | None, forms: str, **flags: str | None) -> None:
    """Draw the pictures of RUN again: strips and reconstructions from its stored results, the
    single pictures that its page shows under a slider (of one subject per task, the first), and,
    unless rows or subjects are named, the plots of its tables.

    Exit code 1 if stored results are damaged, so that tiles stay empty, or a picture cannot be
    drawn.
    """
    from impress_bench.benchmark.harness.runs.reports import redraw

    values = values_of(flags)
    damaged: list[str] = []
    given = {name: f"--{name}" for name in values}
    wanted = list(dict.fromkeys(form.strip() for form in forms.split(",")))
    for path in redraw(run, store, out, values, given, damaged.append, wanted):
        click.echo(path)
    for line in damaged:
        click.echo(one_line(line), err=True)
    click.get_current_context().exit(STOPPED if damaged else 0)
