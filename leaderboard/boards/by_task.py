"""The tables of single tasks, in the order in which they are shown."""

from impress_bench.leaderboard.boards import img2img, table_1, table_2

TABLES = (table_1.TABLE, table_2.TABLE, img2img.TABLE)


def protections(name: str) -> set[str]:
    """The registered names in the paper's own table, if it has one that `name` stands for."""
    reported = [table.scores for table in TABLES if table.name == name]
    return {key[0] for scores in reported for values in scores.values() for key in values}
