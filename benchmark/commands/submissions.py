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
@click.option("--rerun", is_flag=True, help="Measure all of it again, from an empty store.")
@click.option(
    "--plugins",
    type=click.Path(dir_okay=False),
    metavar="PYTHON",
    help="The interpreter of the environment in which the plugin is installed. [default: this one]",
)
@click.option("--measured", type=FOLDER, help="Keep there what --rerun found, for `publish`.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of complaints.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def validate(
    path: Path, rerun: bool, plugins: str | None, measured: Path | None, as_json: bool, quiet: bool
) -> None:
    """Check the submission in PATH, or all in it, offline. Exit code 1 if one is refused.

    Offline its files are read and nothing is measured again. With --rerun it is run as a whole: the
    plugin in processes of its own, without a network and without a sight of the store; every figure
    is made outside of them.
    """
    import sys

    from impress_bench.benchmark.errors import ConfigError
    from impress_bench.benchmark.harness.execution.progress import Reporter, reporter_for
    from impress_bench.benchmark.submissions.measured import keep
    from impress_bench.benchmark.submissions.model import SUBMISSION
    from impress_bench.benchmark.submissions.reading import find_submissions, read
    from impress_bench.benchmark.submissions.rerun import rerun as measure_again

    for flag, given in (("--plugins", plugins), ("--measured", measured)):
        if given is not None and not rerun:
            raise ConfigError(f"{flag} is for what is measured again: give --rerun, too")
    if not path.is_dir():
        raise ConfigError(f"{path}: no such folder; `impress-bench submit` writes submissions/NAME")
    if (path / "pyproject.toml").is_file() and not (path / SUBMISSION).exists():
        raise ConfigError(
            f"{path} is a package, no submission; that is what `impress-bench submit` writes of it,"
            f" a folder such as submissions/{path.resolve().name}"
        )
    folders, complaints = find_submissions(path)
    if not folders and not complaints:
        raise ConfigError(f"{path} holds no submission; `impress-bench submit` writes one")
    if not as_json:
        for complaint in complaints:
            click.echo(complaint)
    for folder in folders:
        reading = read(folder)
        found = list(reading.complaints)
        if rerun and not found and reading.claimed is not None:
            reporter = Reporter() if quiet else reporter_for(sys.stderr)
            with tempfile.TemporaryDirectory() as scratch:
                out, told = measure_again(reading.claimed, Path(scratch), plugins, reporter)
                found += told
                if measured is not None:
                    keep(out, folder, measured, list(map(str, told)))
        complaints += found
        if not as_json:
            for warning in reading.warnings:
                click.echo(f"warning: {warning}")
            for complaint in found:
                click.echo(complaint)
            accepted = "accepted" if rerun else "accepted, but nothing was measured again"
            click.echo(f"{folder}: {'refused' if found else accepted}")
    if as_json:
        click.echo(json.dumps([complaint._asdict() for complaint in complaints], indent=1))
    click.get_current_context().exit(STOPPED if complaints else 0)


@click.command("check-wheel")
@click.argument("folder", type=FOLDER)
@click.argument("wheel", type=click.Path(dir_okay=False, path_type=Path))
def check_wheel(folder: Path, wheel: Path) -> None:
    """Read WHEEL without installing it: is it what the submission in FOLDER pins?

    Exit code 2 with all that is wrong with it.
    """
    from impress_bench.benchmark.errors import ConfigError
    from impress_bench.benchmark.submissions.reading import read
    from impress_bench.benchmark.submissions.wheel import read_wheel

    reading = read(folder)
    if reading.submission is None or reading.complaints:
        raise ConfigError("; ".join(map(str, reading.complaints)))
    submission = reading.submission
    pinned = submission.distribution
    found = read_wheel(wheel, submission.kind, submission.name, pinned.name, pinned.version or "")
    if pinned.sha256 not in (None, found.sha256):
        raise ConfigError(
            f"{wheel} has the SHA-256 {found.sha256}, not the one that {folder} pins,"
            f" {pinned.sha256}; fetch the release that was sent in, or have `submit` run again with"
            " this one as --wheel"
        )
    click.echo(f"{found.name} {found.version} sha256:{found.sha256}")


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--network/--no-network", help="Let it use a network. [default: none]")
@click.option("--write", type=FOLDER, multiple=True, help="A folder in which it may write.")
@click.option("--time", "seconds", default=3600.0, show_default=True, help="Seconds.")
@click.option("--memory", default=8.0, show_default=True, help="GiB of all its processes.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
def confine(
    network: bool, write: tuple[Path, ...], seconds: float, memory: float, words: tuple[str, ...]
) -> None:
    """Run the command WORDS without this environment's variables, without a sight of what lets
    programs in elsewhere, and without a file that it may change but those in --write."""
    import os
    import sys

    from impress_bench.benchmark.contract import PluginError
    from impress_bench.benchmark.sandbox.confine import (
        FETCHING,
        Walls,
        run_confined,
        scratch_folder,
        secrets,
    )

    kept = {name: os.environ[name] for name in FETCHING if network and name in os.environ}
    folders = tuple(path.absolute() for path in write)
    walls = Walls(secrets(), writable=folders, network=network, another_user=False)
    with scratch_folder() as scratch:
        try:
            ending = run_confined("confine", words, scratch, seconds, memory, walls, kept)
            missing = ending.missing
        except PluginError as error:
            missing = [str(error)]
        with (scratch / "printed").open("rb") as printed:
            printed.seek(max(0, printed.seek(0, os.SEEK_END) - 2**20))
            sys.stdout.buffer.write(printed.read())
            sys.stdout.flush()
        for told in missing:
            click.echo(told, err=True)
        click.get_current_context().exit(STOPPED if missing else 0)


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
@click.option("--html", type=FOLDER, help="Write pages of all of it there, too: index.html.")
def publish(results: Path, submissions: Path, measured: Path, out: Path, html: Path | None) -> None:
    """Write LEADERBOARD.md and the boards of all published results and accepted submissions.

    Submissions that were measured again stand beside our results, the others apart.
    """
    from impress_bench.benchmark.errors import ConfigError
    from impress_bench.benchmark.submissions.publishing.publish import publish as write_page

    if not results.is_dir():
        raise ConfigError(f"--results: {results} is no folder of results")
    for path in write_page(results, submissions, out, measured, html):
        click.echo(path)
