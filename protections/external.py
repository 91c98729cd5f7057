"""Protections by another program, and images protected elsewhere: `exec:` and `dir:`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context
from impress_bench.benchmark.external import Command, Folder
from impress_bench.protections.base import Protection


class ExecProtection(Protection):
    """Runs `command` with {in}, {out} and, if it wants them, {masks}: folders of PNGs.

    `exec:python cloak.py {in} {out}` is short for it. `timeout` in seconds, `memory_gb` in GiB;
    `linf` declares a hard budget on [0, 1], which is checked as everybody's. The command has no
    surrogate but its own. Raises ValueError for a command without {in} and {out}.
    """

    name: ClassVar[str] = "exec"
    files: ClassVar[tuple[str, ...]] = ("command",)

    def __init__(
        self,
        *,
        command: str,
        timeout: float = 3600.0,
        memory_gb: float | None = None,
        linf: float | None = None,
    ) -> None:
        self.command = Command(command, timeout, memory_gb)
        self.budget = Budget(linf=linf)

    def perturb(self, images: Tensor, context: Context) -> Tensor:
        """What the command wrote."""
        return self.command.run(images, context.masks)


class DirProtection(Protection):
    """Images that were protected elsewhere, by a program with windows, say.

    `dir:PATH` is short for it. `path` has a folder a subject, and in it PNGs of the names that the
    benchmark gives the images; `linf` declares a hard budget on [0, 1].
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
