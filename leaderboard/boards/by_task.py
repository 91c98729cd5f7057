"""The tables of single tasks, in the order in which they are shown."""

from impress_bench.leaderboard.boards import img2img, table_1, table_2

TABLES = (table_1.TABLE, table_2.TABLE, img2img.TABLE)
