"""Table 1: style mimicry. Cao et al. 2023, Section 5.1."""

from __future__ import annotations

from impress_bench.leaderboard.boards.task_table import TaskTable
from impress_bench.leaderboard.paper import TABLE_1, TABLE_1_SOURCE

TEXT = (
    "A model is fine-tuned on the subject's images that the column names, and then generates new "
    "ones. Top-1 and top-3: the share of these, in per cent, that a classifier places in the "
    "subject's own style. CLIP margin and CLIP centroid: cosine to the subject's own style or "
    "works less the largest to another's. CMMD: distance between the new images and the subject's "
    "held-out works, which also grows when a style is overdriven rather than lost. Style score: "
    "the root of CMMD, a squared distance, on a scale on which a model that learned nothing of the "
    "subject has 0 and the held-out works of all subjects have 1 in the mean. Mean ± standard "
    "deviation over subjects, after averaging each subject's seeds. "
    "Protections aim at low values and purifiers at high ones; with CMMD it is the other way round."
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
