"""A board of a run, read back from its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from impress_bench.benchmark.errors import ConfigError, unknown


@dataclass(frozen=True)
class BoardFile:
    """A board as it was written: `str` gives its markdown, which notebooks render."""

    path: Path

    @property
    def name(self) -> str:
        """Its name, such as "table-1"."""
        return self.path.stem

    @property
    def frame(self) -> pd.DataFrame:
        """Its records, one row per figure; columns as in its CSV file. Raises ConfigError for a
        page that has none."""
        csv = self.path.with_suffix(".csv")
        if not csv.is_file():
            raise ConfigError(f"board {self.name} is a page without a table of its own")
        return pd.read_csv(csv, keep_default_na=False, na_values=[""])

    def __str__(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def _repr_markdown_(self) -> str:
        return str(self)


def read_board(pages: Sequence[Path], name: str) -> BoardFile:
    """The board of a name among markdown files. Raises ConfigError."""
    found = {path.stem: path for path in pages}
    if name not in found:
        raise ConfigError(unknown("board", name, sorted(found)))
    return BoardFile(found[name])
