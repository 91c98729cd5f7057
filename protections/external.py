"""Protections by another program, and images protected elsewhere: `exec:` and `dir:`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context
from impress_bench.benchmark.external import OUTPUT_GB, Command, Folder
from impress_bench.protections.base import Protection


class ExecProtection(Protection):
    """Runs a command on folders of PNGs: {in}, {out} and, if it wants them, {masks}.

    `exec:python cloak.py {in} {out}` is short for it. The command has no surrogate but its own.

    Args:
        command: command line that names {in} and {out}; run without a shell.
        timeout: time limit; above 0, seconds.
        memory_gb: memory limit; above 0, GiB, None for no limit.
        output_gb: bounds each file that it writes or prints; above 0, GiB.
        linf: declares a hard bound, which is checked as everybody's; 0 to 1 on [0, 1] pixels, None
            for no bound.

    Raises:
        ValueError: for a command without {in} and {out}, or a bound out of range.
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
        linf: float | None = None,
    ) -> None:
        self.command = Command(command, timeout, memory_gb, output_gb)
        self.budget = Budget(linf=linf)

    def perturb(self, images: Tensor, context: Context) -> Tensor:
        """The images that the command wrote."""
        return self.command.run(images, context.masks)


class DirProtection(Protection):
    """Images that were protected elsewhere, by a program with windows, say.

    `dir:PATH` is short for it.

    Args:
        path: a folder that holds one folder per subject, and in it PNGs of the names that the
            benchmark gives the images.
        linf: declares a hard bound; 0 to 1 on [0, 1] pixels, None for no bound.

    Raises:
        ValueError: for a bound out of range.
    """

    name: ClassVar[str] = "dir"
    files: ClassVar[tuple[str, ...]] = ("path",)

    def __init__(self, *, path: str, linf: float | None = None) -> None:
        self.folder = Folder(path)
        self.budget = Budget(linf=linf)

    def receive_names(self, subject: str, names: Sequence[str]) -> None:
        """The subject, whose folder is read, and the names of the files in it."""
        self.folder.receive_names(subject, names)

    def perturb(self, images: Tensor, context: Context) -> Tensor:
        """The images in the folder."""
        return self.folder.read(images)
