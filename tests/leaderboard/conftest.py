"""A small run with numbers that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from impress_bench.leaderboard.schema import CELLS, INSPECTIONS, PROTECTIONS

TASK = "style-mimicry"
#: As a run of the built-in plugins would store them.
TITLES = {
    "identity": "Clean",
    "random-noise": "Random noise",
    "glaze": "GLAZE",
    "photoguard-diffusion": "PhotoGuard (diffusion)",
    "consistency": "Consistency",
    "o-pgd": "O-PGD",
    "none": "No purifier",
    "jpeg": "JPG",
    "gaussian-noise": "Noise",
    "resize": "Resize",
    "impress": "IMPRESS",
    "style-mimicry": "Style mimicry",
    "malicious-editing": "Malicious editing",
    "control:no-fine-tuning": "No fine-tuning",
    "control:other-seed": "Clean photo, another seed",
}


def cells_of(conditions: Mapping[tuple[str, str], Sequence[Any]]) -> pd.DataFrame:
    """Cells of clip-top3: a value a subject, or a list, one a seed; or (state, reason)."""
    rows = []
    for (protection, purifier), subjects in conditions.items():
        for index, value in enumerate(subjects):
            for seed, got in enumerate(value if isinstance(value, list) else [value]):
                failed = isinstance(got, tuple)
                state, reason = got if failed else ("done", None)
                number = float("nan") if failed else got
                key = (TASK, f"artist-{index}", protection, purifier, seed, "clip-top3")
                rows.append((*key, number, state, reason))
    return CELLS.frame(rows)


@pytest.fixture
def cells() -> pd.DataFrame:
    """Three artists; clean 80 %, protected 40 %, jpeg 50 %, impress 70 % on average."""
    return cells_of(
        {
            ("identity", "none"): [0.7, 0.8, [0.8, 1.0]],
            ("random-noise", "none"): [0.7, 0.7, 0.7],
            ("glaze", "none"): [0.3, 0.4, 0.5],
            ("glaze", "jpeg"): [0.4, 0.5, 0.6],
            ("glaze", "impress"): [0.6, 0.7, 0.8],
            ("glaze", "resize"): [("failed", "resize: needs | a <square>"), 0.5, 0.6],
            ("glaze", "slow"): [("timeout", "ran past 60 s")] * 3,
            ("identity", "jpeg"): [0.7, 0.7, 0.7],
            ("control:no-fine-tuning", "none"): [0.1, 0.2, 0.3],
        }
    )


@pytest.fixture
def protections() -> pd.DataFrame:
    rows = [
        (TASK, "artist-0", "glaze", "a", 8 / 255, 1.0, 0.04, "done"),
        (TASK, "artist-0", "glaze", "b", 16 / 255, 3.0, 0.06, "over-budget"),
        (TASK, "artist-1", "glaze", "a", 20 / 255, 4.0, 0.07, "done"),
    ]
    return PROTECTIONS.frame(rows)


@pytest.fixture
def inspections() -> pd.DataFrame:
    values = {
        ("identity", "none"): {"artist-0": [0.001, 0.003], "artist-1": [0.002, 0.004]},
        ("glaze", "none"): {"artist-0": [0.010, 0.012], "artist-1": [0.003, 0.020]},
        ("glaze", "impress"): {"artist-0": [0.001, 0.003], "artist-1": [0.002, 0.004]},
    }
    rows = [
        (TASK, subject, *condition, str(image), "vae-error", value)
        for condition, subjects in values.items()
        for subject, errors in subjects.items()
        for image, value in enumerate(errors)
    ]
    rows += [(TASK, "artist-0", "glaze", "none", str(i), "own-style", 1.0 - i) for i in (0, 1)]
    return INSPECTIONS.frame(rows)


@pytest.fixture
def meta() -> dict[str, Any]:
    metric = {"name": "clip-top3", "title": "CLIP top-3", "higher_is_better": True}
    return {
        "preset": "mini",
        "title": "A small run",
        "model": "atelier",
        "model_is_miniature": True,
        "chance": {"clip-top3": 0.25},
        "metrics": {TASK: [metric]},
        "protections": ["identity", "random-noise", "glaze"],
        "purifiers": ["none", "jpeg", "resize", "slow", "impress"],
        "reference_protection": "glaze",
        "settings": {"steps": 40},
        "titles": dict(TITLES),
        "inspections": [
            {"name": "own-style", "title": "In its own style", "higher_is_better": None}
        ],
    }


@pytest.fixture
def build_cells() -> Any:
    """`cells_of`, for tests that need other numbers."""
    return cells_of
