"""Table 1: style mimicry. Cao et al. 2023, Section 5.1."""

from __future__ import annotations

from impress_bench.leaderboard.boards.paper import TABLE_1, TABLE_1_SOURCE
from impress_bench.leaderboard.boards.task_table import TaskTable

TEXT = (
    "Share of generated images, in per cent, that a classifier places in the imitated subject's "
    "own style: mean ± standard deviation over subjects, after averaging each subject's seeds. A "
    "model is fine-tuned on the subject's images that the column names, and then generates new "
    "ones. Protections aim at low values, purifiers at high ones."
)
CONTROLS = (
    "Clean images after a purifier show the damage that the purifier does by itself; noise after a "
    "purifier shows its effect on a perturbation without an objective. The artist's own works show "
    "how well the classifiers recognise the style. Models that were not trained on the subject's "
    "images, or on those of another movement instead, show which score needs no imitation."
)

TABLE = TaskTable(
    name="table-1",
    task="mimicry",
    title="Table 1: style mimicry",
    text=TEXT,
    controls=CONTROLS,
    clean=True,
    scores=TABLE_1,
    source=TABLE_1_SOURCE,
    decimals=1,
)
