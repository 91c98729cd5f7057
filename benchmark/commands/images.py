"""Protecting and purifying one's own images."""

from __future__ import annotations

import json
from typing import Any

import click

from impress_bench.benchmark.commands.options import pictures
from impress_bench.benchmark.texts import one_line


@click.command()
@click.option("--protection", required=True, help="Such as glaze or glaze[p=0.05].")
@pictures
def protect(context: click.Context, /, protection: str, **options: Any) -> None:
    """Protect the images in SOURCE (a folder or a file) and write PNGs of the same names and sizes
    into the folder TARGET."""
    _run_job(context, "protection", protection, **options)


@click.command()
@click.option("--purifier", required=True, help="Such as impress or jpeg[quality=75].")
@pictures
def purify(context: click.Context, /, purifier: str, **options: Any) -> None:
    """Purify the images in SOURCE (a folder or a file) and write PNGs of the same names and sizes
    into the folder TARGET."""
    _run_job(context, "purifier", purifier, **options)


def _run_job(context: click.Context, kind: str, spec: str, as_json: bool, **options: Any) -> None:
    """Exit code 1 if an image failed; what is done stays done whatever happens to the others."""
    from impress_bench.benchmark.pictures.command import run_job

    found = []
    for outcome in run_job(kind, spec, **options):
        found.append(outcome)
        if not as_json:
            click.echo(one_line(str(outcome)), err=outcome.state == "failed")
    if as_json:
        click.echo(json.dumps([outcome.as_dict() for outcome in found], indent=1))
    context.exit(1 if any(outcome.state == "failed" for outcome in found) else 0)
