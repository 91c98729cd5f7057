"""Table 2: malicious editing. Cao et al. 2023, Section 5.2."""

from __future__ import annotations

from impress_bench.leaderboard.boards.task_table import TaskTable
from impress_bench.leaderboard.paper import TABLE_2, TABLE_2_SOURCE

TEXT = (
    "Similarity of an edited photo to the edit of the clean photo, made with the same prompt and "
    "noise: mean ± standard deviation over photos. PSNR is in dB. Clean photos have no column, "
    "since they would be compared with themselves. Protections aim at low values, purifiers at "
    "high ones. For 'background', the head of both is taken from the edit of the clean photo."
)
CONTROLS = (
    "Clean photos after a purifier show the damage that the purifier does by itself. The same "
    "photo under another seed shows how similar edits are that differ in nothing but noise. A "
    "photo whose head is replaced by grey shows how much the head influences what is painted "
    "around it."
)

TABLE = TaskTable(
    name="table-2",
    task="editing",
    title="Table 2: malicious editing",
    text=TEXT,
    controls=CONTROLS,
    clean=False,
    scores=TABLE_2,
    source=TABLE_2_SOURCE,
    decimals=2,
)
