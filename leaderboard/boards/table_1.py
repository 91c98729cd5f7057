"""Table 1: style mimicry."""

from __future__ import annotations

from impress_bench.leaderboard.boards.paper import TABLE_1, TABLE_1_SOURCE
from impress_bench.leaderboard.boards.task_table import TaskTable

TEXT = (
    "Share of generated images, in per cent, that a classifier places in the imitated subject's"
    " own style: the mean over subjects ± the standard deviation over subjects, seeds averaged "
    "first. A model is fine-tuned on a subject's images as the column says, and then asked for "
    "new ones. Protections aim at low values, purifiers at high ones."
)
CONTROLS = (
    "Clean images through a purifier show the damage the purifier does by itself; noise through"
    " a purifier, what it does to a perturbation nobody optimised. The artist's own works show how "
    "well the classifiers know the style. Models that never saw the "
    "subject's images, or learned from another movement, show how high a score is for free."
)

TABLE = TaskTable(
    name="table-1",
    task="mimicry",
    title="Table 1: style mimicry",
    text=TEXT,
    controls=CONTROLS,
    clean=True,
    figures=TABLE_1,
    source=TABLE_1_SOURCE,
    decimals=1,
)
