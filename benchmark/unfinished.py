"""States of long work, kept in a folder, so that a stage that was cut short goes on where it was.

A stage that takes less than `EVERY_S` seconds keeps nothing.
"""

from __future__ import annotations

import os
import pickle
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

#: Seconds between two states: what an interruption costs at most.
EVERY_S = 600.0
SUFFIX = ".pt"


class Unfinished:
    """The states of one stage, by name.

    folder: made when a state is first kept; None: nothing is kept.
    every_s: seconds between two states for which `due` asks; by default `EVERY_S`.
    taken: called for the passes through networks that this attempt has taken so far.

    `seconds` and `passes` are what earlier attempts took until the last state that they kept.
    """

    def __init__(
        self,
        folder: Path | None = None,
        every_s: float | None = None,
        taken: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self.folder = folder
        self._every_s = EVERY_S if every_s is None else every_s
        self.taken = taken
        self._began = self._latest = time.monotonic()
        self.seconds = 0.0
        self.passes: Mapping[str, int] = {}
        if spent := self._read("spent"):
            self.seconds, self.passes = float(spent["seconds"]), dict(spent["passes"])

    @property
    def due(self) -> bool:
        """Whether it is time to keep a state."""
        return self.folder is not None and time.monotonic() - self._latest >= self._every_s

    @property
    def kept(self) -> bool:
        """Whether any state is kept."""
        return self.folder is not None and self.folder.is_dir()

    def keep(self, name: str, state: Any) -> None:
        """Replace the state called `name`: tensors, numbers and texts in lists and dictionaries.

        Without a folder nothing is done. Where it cannot be written there is a warning, and the
        work goes on.
        """
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(name, state)
            self._write("spent", {"seconds": self._seconds(), "passes": self.all_passes()})
        except (OSError, RuntimeError) as error:  # torch raises the second for a full disk
            warnings.warn(f"unfinished work is not kept: {error}", stacklevel=2)
        self._latest = time.monotonic()

    def resume(self, name: str, device: torch.device | str = "cpu") -> Any | None:
        """The state called `name`, its tensors on `device`; None if it is missing or damaged."""
        return self._read(name, device)

    def discard(self) -> None:
        """Remove all states."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _seconds(self) -> float:
        return self.seconds + time.monotonic() - self._began

    def all_passes(self) -> dict[str, int]:
        """Passes of this attempt, and of the earlier ones until the last state that they kept."""
        now = self.taken()
        return {name: self.passes.get(name, 0) + now.get(name, 0) for name in {*self.passes, *now}}

    def _write(self, name: str, state: Any) -> None:
        import torch

        assert self.folder is not None
        temporary = self.folder / f"{name}.{os.getpid()}.tmp"
        torch.save(state, temporary)
        temporary.replace(self.folder / f"{name}{SUFFIX}")

    def _read(self, name: str, device: torch.device | str = "cpu") -> Any | None:
        if self.folder is None or not (path := self.folder / f"{name}{SUFFIX}").is_file():
            return None
        import torch

        try:
            return torch.load(path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            warnings.warn(f"{path} is damaged ({error}); that work is done again", stacklevel=3)
            return None
