"""The command line: verbs only. Whatever is slow to import is imported where it is used."""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import NoReturn

import click

from impress_bench.benchmark.commands import (
    datasets,
    images,
    models,
    plugins,
    running,
    store,
    submissions,
)
from impress_bench.benchmark.commands.exits import INTERRUPTED, STOPPED, USAGE_ERROR
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.machine import MachineError
from impress_bench.benchmark.signals import Stopped, came, stopping
from impress_bench.benchmark.texts import one_line

#: What the user's disk did, and no bug of ours.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES)


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 some cells failed, 2 bad usage; 130, 143 and 129 after
    SIGINT, SIGTERM and SIGHUP."""
    try:
        with stopping():
            code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE_ERROR)
    except ConfigError as error:
        if stopped := came():  # in what was being imported, it turned into that one's error
            _leave(stopped)
        click.echo(one_line(f"Error: {error}"), err=True)
        sys.exit(USAGE_ERROR)
    except OSError as error:
        if stopped := came():  # and the terminal is gone, to which something was to be printed
            sys.exit(stopped.exit_code)
        if error.errno not in DISK:
            raise
        click.echo(one_line(f"Error: {error.filename or 'disk'}: {error.strerror}"), err=True)
        sys.exit(STOPPED)
    except MachineError as error:
        click.echo(one_line(f"Error: {error}"), err=True)
        sys.exit(STOPPED)
    except (click.Abort, KeyboardInterrupt):
        _leave(came())
    sys.exit(code)


def _leave(stopped: Stopped | None) -> NoReturn:
    """End as a signal asks for; without one, as by Ctrl-C."""
    how, code = "Interrupted", INTERRUPTED
    if stopped is not None and stopped.exit_code != INTERRUPTED:
        how, code = f"Ended by {stopped.name}", stopped.exit_code
    with suppress(OSError):  # a terminal that is gone
        click.echo(f"{how}. The same command goes on where this one stopped.", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("impress-bench"), prog_name="impress-bench")
def cli() -> None:
    """Does an image cloak survive? Protections against latent diffusion models, crossed with the
    purifiers that try to remove them."""


for module in (running, images, models, datasets, plugins, submissions):
    for command in vars(module).values():
        if isinstance(command, click.Command):
            cli.add_command(command)
cli.add_command(store.store)
