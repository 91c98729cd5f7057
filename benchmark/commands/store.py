"""The store: what it holds, whether that is sound, and how it gets smaller."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from impress_bench.benchmark.commands.exits import STOPPED
from impress_bench.benchmark.texts import one_line

if TYPE_CHECKING:
    from impress_bench.benchmark.harness.storage.contents import Progress, Share

#: Seconds between two lines of progress where there is no terminal.
EVERY_S = 10.0
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
BYTES = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip


def quantity(units: dict[str, int]) -> Callable[..., int | None]:
    """Reads a number and one of the units, such as 30d or 20GB; raises BadParameter, which the
    command line shows."""

    def read(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
        if text is None:
            return None
        match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]+)", text.strip().lower())
        if match is None or match[2] not in units:
            raise click.BadParameter(
                f"{text!r} is no number with one of the units {', '.join(units)}"
            )
        return int(float(match[1]) * units[match[2]])

    return read


Command = Callable[..., None]


def shared(command: Command) -> Command:
    """The options that all of these commands have."""
    options = [
        click.option(
            "--store",
            "root",
            type=click.Path(file_okay=False, path_type=Path),
            help="[default: IMPRESS_BENCH_STORE, or the user's cache folder]",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def store() -> None:
    """Show, verify or prune the store, in which the results of all runs are kept by their content.

    Every run has an entry in the store of the objects that it uses, until another run writes the
    same --out."""


@store.command()
@shared
def show(root: Path | None, as_json: bool) -> None:
    """Show how many objects there are and how much disk they take: of presets, of plugins, of
    runs, and of no run that is known."""
    from impress_bench.benchmark.harness.storage.contents import contents

    root = _existing(root)
    with _progress("objects") as progress:
        found = contents(root, progress)
    if as_json:
        document = {
            "store": str(root),
            **vars(found.all),
            "unused": vars(found.unused),
            "unfinished": vars(found.unfinished),
            "presets": {
                name: {**vars(share), "alone": vars(found.alone[name])}
                for name, share in found.presets.items()
            },
            "plugins": {name: vars(share) for name, share in found.plugins.items()},
            "runs": [
                {
                    "run": entry.run,
                    "preset": entry.preset,
                    "out": entry.out,
                    "machine": entry.machine,
                    "used": _moment(entry.used),
                    "running": entry.running,
                    "stages": len(entry.keys),
                    **vars(share),
                }
                for entry, share in found.runs
            ],
            "files": dict(found.other),
        }
        click.echo(json.dumps(document, indent=1))
        return
    click.echo(f"{root}: {_told(found.all)}")
    # Names come from the files and folders of whoever made the runs.
    _table("preset", [(n, s, _told(found.alone[n])) for n, s in found.presets.items()], "alone")
    _table("plugin", [(name, share, "") for name, share in sorted(found.plugins.items())])
    rows = [
        (f"{entry.preset} {entry.out}", share, "now" if entry.running else _moment(entry.used))
        for entry, share in found.runs
    ]
    _table("run", rows, "used")
    click.echo(f"\nUsed by no run that is known: {_told(found.unused)}")
    kept, size = found.unfinished.objects, _size(found.unfinished.bytes)
    click.echo(f"Kept of stages that were cut short, or are at work: {kept}, {size}")


@store.command()
@shared
def verify(root: Path | None, as_json: bool) -> None:
    """Compare every file of every object with its digest, and name those that are broken.

    Exit code 1 if one is. A run that needs a broken object makes it again.
    """
    from impress_bench.benchmark.harness.storage.contents import folders_of
    from impress_bench.benchmark.harness.storage.verify import verify as broken_files

    root = _existing(root)
    count, found = len(folders_of(root)), []
    with _progress("objects") as progress:
        for broken in broken_files(root, progress):
            found.append(broken)
            if not as_json:
                click.echo(one_line(f"BROKEN {broken.file}: {broken.problem}"))
    if as_json:
        document = {"objects": count, "broken": [broken._asdict() for broken in found]}
        click.echo(json.dumps(document, indent=1))
    else:
        click.echo(f"{root}: {count} objects, {len(found)} broken files")
    click.get_current_context().exit(STOPPED if found else 0)


@store.command()
@shared
@click.option(
    "--keep",
    metavar="RUN",
    multiple=True,
    help="Keep what this run uses, by its --out or its ID in `show --json`; other runs that have"
    " ended do not count then. May be given several times.",
)
@click.option(
    "--older-than",
    metavar="AGE",
    callback=quantity(SECONDS),
    help="Remove what was not used for so long, whether another run uses it or not: 12h, 30d, 8w.",
)
@click.option(
    "--keep-below",
    metavar="SIZE",
    callback=quantity(BYTES),
    help="Remove no more than it takes to get below this size, what was not used for the longest"
    " time first: 20GB, 500MiB.",
)
@click.option("--dry-run", is_flag=True, help="Remove nothing, only say what would be.")
def prune(
    root: Path | None,
    as_json: bool,
    keep: tuple[str, ...],
    older_than: int | None,
    keep_below: int | None,
    dry_run: bool,
) -> None:
    """Remove the objects that no run uses which the store knows.

    What a run uses that works now is never removed. Runs that start meanwhile wait until it is
    done. Exit code 1 if the store is not below --keep-below afterwards.
    """
    from impress_bench.benchmark.harness.storage.prune import prune as remove
    from impress_bench.benchmark.harness.storage.store import Store

    root = _existing(root)
    with _progress("objects") as progress:
        found = remove(Store(root), keep, older_than, keep_below, dry_run, progress)
    above = keep_below is not None and found.left.bytes > keep_below
    if as_json:
        document = {
            "dry_run": dry_run,
            **{name: vars(getattr(found, name)) for name in ("removed", "left", "held")},
            "runs": [{"run": one.run, "preset": one.preset, "out": one.out} for one in found.runs],
            "leftovers": found.leftovers,
        }
        click.echo(json.dumps(document, indent=1))
    else:
        would = "would be " if dry_run else ""
        for entry in found.runs:
            click.echo(one_line(f"{would}forgotten: {entry.preset} {entry.out}"))
        click.echo(f"{would}removed: {_told(found.removed)}; left: {_told(found.left)}")
    if above:
        told = f"still above it: runs that work now or are kept hold {_told(found.held)}"
        spared = ", and --older-than spares what is younger" if older_than is not None else ""
        click.echo(f"--keep-below: {told}{spared}", err=True)
    click.get_current_context().exit(STOPPED if above else 0)


def _existing(root: Path | None) -> Path:
    """The folder of a store. Raises ConfigError if there is none."""
    from impress_bench.benchmark.errors import ConfigError
    from impress_bench.benchmark.harness.storage.store import default_root

    found = default_root() if root is None else root
    if not (found / "objects").is_dir():
        raise ConfigError(f"--store: {found} is no store; name the one that runs were made with")
    return found


@contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """A bar on a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _lines(what)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def _lines(what: str) -> Progress:
    said = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said > EVERY_S:
            said = time.monotonic()
            click.echo(f"{done} of {total} {what}", err=True)

    return tell


def _table(title: str, rows: list[tuple[str, Share, str]], last: str = "") -> None:
    if not rows:
        return
    lines = [
        (title, "objects", "size", last),
        *((name, str(share.objects), _size(share.bytes), told) for name, share, told in rows),
    ]
    widths = [max(len(line[at]) for line in lines) for at in range(4)]
    click.echo()
    for name, count, size, told in lines:
        cells = (name.ljust(widths[0]), count.rjust(widths[1]), size.rjust(widths[2]), told)
        click.echo(one_line("  ".join(cells).rstrip()))


def _told(share: Share) -> str:
    return f"{share.objects} objects, {_size(share.bytes)}"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
