"""The command line: verbs only. Whatever is slow to import is imported where it is used."""

from __future__ import annotations

import errno
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from impress_bench.benchmark.harness.errors import ConfigError
from impress_bench.benchmark.harness.store import StoreError
from impress_bench.benchmark.options import pictures, select, selection, values_of

STOPPED = 1
USAGE_ERROR = 2
INTERRUPTED = 130
#: What the user's disk did, and no bug of ours.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES)


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
    except OSError as error:
        if error.errno not in DISK:
            raise
        click.echo(f"Error: {error.filename or 'disk'}: {error.strerror}", err=True)
        sys.exit(STOPPED)
    except StoreError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(STOPPED)
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
@selection
@click.option("--out", type=click.Path(file_okay=False), help="[default: runs/<preset>]")
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
    as_json: bool,
    quiet: bool,
    **flags: str | None,
) -> None:
    """Run a preset and write its boards; what is stored already is not run again."""
    from impress_bench.benchmark.harness.presets import load_preset

    chosen = select(load_preset(preset), flags)
    from impress_bench.benchmark.harness.progress import Reporter, reporter_for
    from impress_bench.benchmark.harness.run import run as run_preset

    reporter = Reporter() if quiet else reporter_for(sys.stderr)
    result = run_preset(chosen, out, store, reporter, workers)
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
    from impress_bench.benchmark.harness.presets import load_preset

    chosen = select(load_preset(preset), flags)
    from impress_bench.benchmark.harness.reports import forecast_run

    found = forecast_run(
        chosen, store, probe, lambda message: click.echo(message, err=True), workers
    )
    click.echo(json.dumps(found.as_dict(), indent=1) if as_json else "\n".join(found.lines()))


@cli.command()
@click.argument("run", type=click.Path(file_okay=False))
def report(run: str) -> None:
    """Write the boards of RUN again, from its stored results."""
    from impress_bench.benchmark.harness.reports import report as write_again

    for path in write_again(run):
        click.echo(path)


@cli.command()
@click.argument("runs", type=click.Path(file_okay=False), nargs=-1, required=True)
@click.option("--out", type=click.Path(file_okay=False), required=True)
def merge(runs: tuple[str, ...], out: str) -> None:
    """Write the boards of RUNS, parts of one preset, together into --out.

    Parts are runs narrowed by --tasks, --subjects, --protections, --purifiers or --seeds, on one
    machine or many. --out may be one of RUNS."""
    from impress_bench.benchmark.harness.merge import merge as merge_runs

    for path in merge_runs(runs, out):
        click.echo(path)


@cli.command()
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--subjects", help="Only these: 2, or a,b")
@click.option("--protections", help="Only these rows: glaze")
@click.option("--purifiers", help="Only these rows: none,impress")
@click.option("--out", type=click.Path(file_okay=False), help="[default: RUN]")
@click.option("--store", type=click.Path(file_okay=False), help="The store that RUN was run with.")
def figures(run: str, out: str | None, store: str | None, **flags: str | None) -> None:
    """Draw the picture strips of RUN again, from its stored results."""
    from impress_bench.benchmark.harness.reports import redraw

    values = values_of(flags)
    for path in redraw(run, store, out, values, {name: f"--{name}" for name in values}):
        click.echo(path)


@cli.command()
@click.option("--protection", required=True, help="Such as glaze or glaze[p=0.05].")
@pictures
def protect(context: click.Context, /, protection: str, **options: Any) -> None:
    """Protect the images in SOURCE (a folder or a file) and write PNGs of the same names and sizes
    into the folder TARGET."""
    _run_job(context, "protection", protection, **options)


@cli.command()
@click.option("--purifier", required=True, help="Such as impress or jpeg[quality=75].")
@pictures
def purify(context: click.Context, /, purifier: str, **options: Any) -> None:
    """Purify the images in SOURCE (a folder or a file) and write PNGs of the same names and sizes
    into the folder TARGET."""
    _run_job(context, "purifier", purifier, **options)


@cli.command()
@click.argument("kind", type=click.Choice(["protection", "purifier"]))
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    help="The folder that gets the package. [default: this one]",
)
def new(kind: str, name: str, into: Path) -> None:
    """Write an installable package for a plugin called NAME."""
    from impress_bench.benchmark.harness.scaffold import scaffold

    for path in scaffold(kind, name, into):
        click.echo(path)
    click.echo(
        f"Next: pip install -e '{into / name}[test]' && impress-bench check {name}", err=True
    )


@cli.command()
@click.argument("name")
@click.option("--preset", default="quick", show_default=True, help="Whose settings it gets.")
@click.option("--control", is_flag=True, help="It is a control, not meant to protect.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of verdicts.")
@click.pass_context
def check(context: click.Context, /, name: str, preset: str, control: bool, as_json: bool) -> None:
    """Check that the protection or purifier NAME keeps what the benchmark relies on.

    Exit code 1 if it does not.
    """
    from impress_bench.benchmark.harness.check import check as verdicts
    from impress_bench.benchmark.harness.check import resolve
    from impress_bench.benchmark.harness.presets import load_preset

    component = resolve(name, load_preset(preset).settings.model_dump())
    found = []
    for verdict in verdicts(component, control):
        found.append(verdict)
        if not as_json:
            told = f"FAILED {verdict.check}: {verdict.failure}" if verdict.failure else ""
            click.echo(told or f"passed {verdict.check} ({verdict.seconds:.1f} s)")
            if told:
                click.echo(f"       {verdict.about}")
    failed = [verdict for verdict in found if verdict.failure]
    if as_json:
        click.echo(json.dumps([verdict._asdict() for verdict in found], indent=1))
    else:
        click.echo(f"{component.kind} {component.label}: {len(failed)} of {len(found)} failed")
    context.exit(STOPPED if failed else 0)


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


def _run_job(context: click.Context, kind: str, spec: str, as_json: bool, **options: Any) -> None:
    """Exit code 1 if an image failed; what is done stays done whatever happens to the others."""
    from impress_bench.benchmark.pictures.command import run_job

    found = []
    for outcome in run_job(kind, spec, **options):
        found.append(outcome)
        if not as_json:
            click.echo(outcome, err=outcome.state == "failed")
    if as_json:
        click.echo(json.dumps([outcome.as_dict() for outcome in found], indent=1))
    context.exit(1 if any(outcome.state == "failed" for outcome in found) else 0)
