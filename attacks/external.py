"""Purifiers by another program, and images purified elsewhere: `exec:` and `dir:`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.external import OUTPUT_GB, Command, Folder


class ExecPurifier(Purifier):
    """Runs a command on folders of PNGs: {in} and {out}.

    `exec:python clean.py {in} {out}` is short for it.

    Args:
        command: command line that names {in} and {out}; run without a shell.
        timeout: time limit; above 0, seconds.
        memory_gb: memory limit; above 0, GiB, None for no limit.
        output_gb: bounds each file that it writes or prints; above 0, GiB.

    Raises:
        ValueError: for a command without {in} and {out}.
    """

    name: ClassVar[str] = "exec"
    files: ClassVar[tuple[str, ...]] = ("command",)

    def __init__(
        self,
        *,
        command: str,
        timeout: float = 3600.0,
        memory_gb: float | None = None,
        output_gb: float = OUTPUT_GB,
    ) -> None:
        self.command = Command(command, timeout, memory_gb, output_gb)

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """The images that the command wrote."""
        return self.command.run(images)


class DirPurifier(Purifier):
    """Images that were purified elsewhere.

    `dir:PATH` is short for it. They are one protection's images, purified: name no other protection
    beside it.

    Args:
        path: a folder that holds one folder per subject, and in it PNGs of the names that the
            benchmark gives the images.
    """

    name: ClassVar[str] = "dir"
    files: ClassVar[tuple[str, ...]] = ("path",)

    def __init__(self, *, path: str) -> None:
        self.folder = Folder(path)

    def receive_names(self, subject: str, names: Sequence[str]) -> None:
        """The subject, whose folder is read, and the names of the files in it."""
        self.folder.receive_names(subject, names)

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """The images in the folder."""
        return self.folder.read(images)
