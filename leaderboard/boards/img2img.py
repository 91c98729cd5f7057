"""Editing by img2img, in the layout of Tables 1 and 2. The IMPRESS paper has no such table."""

from __future__ import annotations

from impress_bench.leaderboard.boards.task_table import TaskTable

TEXT = (
    "Similarity of a redrawn photo to the clean photo redrawn, with the same prompt and noise: "
    "mean ± standard deviation over photos. PSNR is in dB. Clean photos have no column, since they "
    "would be compared with themselves. Protections aim at low values, purifiers at high ones."
)
CONTROLS = (
    "Clean photos after a purifier show the damage that the purifier does by itself. The same "
    "photo under another seed is the floor: edits that differ in nothing but noise are this "
    "similar. A photo replaced by grey shows what is painted without it."
)

TABLE = TaskTable(
    name="img2img",
    task="img2img",
    title="Editing by img2img",
    text=TEXT,
    controls=CONTROLS,
    clean=False,
    scores={},
    source="",
    decimals=2,
)
