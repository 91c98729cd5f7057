"""The lines that a run ends with: the findings of both tables, wrapped, no more than a few."""

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import CELLS
from impress_bench.leaderboard.summary import SHOWN, WIDTH, summary

TASK = "style-mimicry"
META = BoardMeta(
    reference_protection="glaze",
    metrics={TASK: [MetricInfo("score", "Score", True, primary=True)]},
    titles={"glaze": "GLAZE"},
)


def cells(protections, subjects=6):
    return CELLS.frame(
        (TASK, f"artist-{i}", protection, purifier, 0, "score", value + i / 10, "done", None)
        for i in range(subjects)
        for protection in protections
        for purifier, value in (("none", 0.1), ("impress", 0.3))
    )


def test_findings_are_wrapped_and_the_rest_is_counted():
    names = [f"glaze[steps={i}]" for i in range(SHOWN + 2)]
    lines = summary(cells(names), META)
    assert lines[0] == "Table 1: style mimicry:"
    assert all(len(line) <= WIDTH for line in lines)
    assert "gives 0.200 [0.200, 0.200] back" in " ".join(line.strip() for line in lines)
    assert sum("GLAZE [steps=" in line for line in lines) == SHOWN
    assert lines[-1] == "  2 more protections are on the board table-1."


def test_a_run_too_small_for_conclusions_says_so_and_one_without_tables_says_nothing():
    for count, told in ((2, "2 subjects, too few"), (1, "1 subject, too few")):
        lines = summary(cells(["glaze"], subjects=count), META)
        assert "This shows nothing yet" in lines[0]
        assert told in " ".join(line.strip() for line in lines)
    assert summary(CELLS.frame(), META) == []
