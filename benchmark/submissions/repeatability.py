"""How closely figures come out again, as measured: the tolerance of a re-run.

One file for each preset for which `tools/measure_repeatability.py` measured it: the largest
difference of each metric between runs of the same preset and plugin that differ in what nobody
chooses (the instructions of the processor, the number of threads).
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from impress_bench.benchmark.errors import ConfigError

FOLDER = Path(str(files("impress_bench.benchmark.submissions"))) / "repeatability"
#: Conditions that were not measured (another vendor's processor, another library underneath) may
#: move a figure further than those that were. What is left is far below any effect on the boards.
MARGIN = 10.0


class Repeatability(NamedTuple):
    """Largest differences that were measured, by metric, and how; provisional where they are to be
    measured again, such as after a change of the embedded pack."""

    how: str
    largest: dict[str, float]
    provisional: bool = False

    def tolerance(self, metric: str, step: float = 0.0) -> float:
        """How far a claim may be from what comes out; `step` is the least by which the metric can
        differ: an image at the edge between two classes may fall on either side."""
        return MARGIN * self.largest.get(metric, 0.0) + step + 1e-9


def load_repeatability(preset: str) -> Repeatability:
    """What was measured of a preset. Raises ConfigError where nothing was."""
    path = FOLDER / f"{preset}.json"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in FOLDER.glob("*.json"))) or "none yet"
        raise ConfigError(
            f"how closely figures of the preset {preset} come out again was not measured, so that"
            f" claims cannot be held against a re-run; it was for: {known}"
        )
    document = json.loads(path.read_bytes())
    return Repeatability(
        document["how"], document["largest"], bool(document.get("provisional", False))
    )
