"""Sending in a plugin, and checking what was sent in."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from impress_bench.benchmark.commands.exits import STOPPED

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("name")
@click.option("--run", type=FOLDER, required=True, help="The --out of a run that measured it.")
@click.option("--into", type=FOLDER, default=Path("submissions"), show_default=True)
@click.option(
    "--wheel",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The release file that pip is to install; its digest is noted.",
)
@click.option("--git", help="Instead: the https address of its repository,")
@click.option("--commit", help="and the whole hash of the commit.")
@click.option("--licence", help="An SPDX expression. [default: the package's]")
@click.option("--paper", help="Where it is described: an address.")
@click.option("--summary", help="What it does, in a sentence. [default: the package's]")
@click.option("--force", is_flag=True, help="Replace the folder if it is there already.")
def submit(name: str, run: Path, into: Path, **told: Any) -> None:
    """Write the submission of the plugin NAME from a run that measured it.

    What `validate` would refuse is not written: exit code 1.
    """
    from impress_bench.benchmark.submissions.writing import Refused
    from impress_bench.benchmark.submissions.writing import submit as write

    try:
        folder, warnings = write(name, run, into, **told)
    except Refused as error:
        click.echo(error, err=True)
        click.get_current_context().exit(STOPPED)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(folder)


@click.command()
@click.argument("path", type=FOLDER, default=Path("submissions"))
@click.option("--rerun", type=click.FloatRange(0, 1), help="Measure this share of cells again.")
@click.option("--seed", default=0, show_default=True, help="Which cells are measured again.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of complaints.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def validate(path: Path, rerun: float | None, seed: int, as_json: bool, quiet: bool) -> None:
    """Check the submission in PATH, or all in it, offline. Exit code 1 if one is refused.

    With --rerun, the plugins must be installed.
    """
    import sys

    from impress_bench.benchmark.errors import ConfigError
    from impress_bench.benchmark.harness.execution.progress import Reporter, reporter_for
    from impress_bench.benchmark.submissions.reading import find_submissions, read
    from impress_bench.benchmark.submissions.rerun import rerun as measure_again

    folders, complaints = find_submissions(path)
    if not folders and not complaints:
        raise ConfigError(f"{path} holds no submission; `impress-bench submit` writes one")
    if not as_json:
        for complaint in complaints:
            click.echo(complaint)
    for folder in folders:
        reading = read(folder)
        found = list(reading.complaints)
        if rerun is not None and not found and reading.claimed is not None:
            reporter = Reporter() if quiet else reporter_for(sys.stderr)
            with tempfile.TemporaryDirectory() as scratch:
                found += measure_again(
                    reading.claimed.submission,
                    reading.claimed.cells,
                    rerun,
                    seed,
                    Path(scratch),
                    reporter,
                )
        complaints += found
        if not as_json:
            for warning in reading.warnings:
                click.echo(f"warning: {warning}")
            for complaint in found:
                click.echo(complaint)
            click.echo(f"{folder}: {'refused' if found else 'accepted'}")
    if as_json:
        click.echo(json.dumps([complaint._asdict() for complaint in complaints], indent=1))
    click.get_current_context().exit(STOPPED if complaints else 0)


@click.command()
@click.argument("folder", type=FOLDER)
def requirement(folder: Path) -> None:
    """Print the line of a requirements file that installs the submission in FOLDER."""
    from impress_bench.benchmark.errors import ConfigError
    from impress_bench.benchmark.submissions.reading import read

    reading = read(folder)
    if reading.submission is None or reading.complaints:
        raise ConfigError("; ".join(map(str, reading.complaints)))
    click.echo(reading.submission.distribution.requirement())


@click.command()
@click.option("--results", type=FOLDER, default=Path("leaderboard/results"), show_default=True)
@click.option("--submissions", type=FOLDER, default=Path("submissions"), show_default=True)
@click.option(
    "--measured",
    type=FOLDER,
    default=Path("leaderboard/measured"),
    show_default=True,
    help="What a trusted machine measured of submissions.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("LEADERBOARD.md"),
    show_default=True,
)
def publish(results: Path, submissions: Path, measured: Path, out: Path) -> None:
    """Write LEADERBOARD.md and the boards of all published results and accepted submissions.

    Submissions that were measured again stand beside our results, the others apart.
    """
    from impress_bench.benchmark.errors import ConfigError
    from impress_bench.benchmark.submissions.publish import publish as write_page

    if not results.is_dir():
        raise ConfigError(f"--results: {results} is no folder of results")
    for path in write_page(results, submissions, out, measured):
        click.echo(path)
