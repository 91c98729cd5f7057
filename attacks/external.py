"""Purifiers by another program: `exec:`."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.external import run_command


class ExecPurifier(Purifier):
    """Runs `command` with {in} and {out}, folders of PNGs.

    `exec:python clean.py {in} {out}` is short for it. `timeout` in seconds, `memory_gb` of address
    space. Raises ValueError for a command without {in} and {out}.
    """

    name: ClassVar[str] = "exec"
    files: ClassVar[tuple[str, ...]] = ("command",)

    def __init__(
        self, *, command: str, timeout: float = 3600.0, memory_gb: float | None = None
    ) -> None:
        if "{in}" not in command or "{out}" not in command:
            raise ValueError(f"command {command!r} must name the folders {{in}} and {{out}}")
        self.command = command
        self.timeout = timeout
        self.memory_gb = memory_gb

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """What the command wrote."""
        return run_command(
            f"exec:{self.command}", self.command, images,
            timeout=self.timeout, memory_gb=self.memory_gb,
        )  # fmt: skip
