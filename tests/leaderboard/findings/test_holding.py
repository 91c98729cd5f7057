"""What survives a purifier, and what holds best, in words."""

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.findings.holding import Survival, holding_verdict
from impress_bench.leaderboard.statistics import Summary, paired_difference

SCORE = MetricInfo("score", "Score", True, primary=True)


def survival(left, plain=3.0, **shown):
    """Of eight subjects, alike but for `left`, from which what remains is computed."""
    by_subject = {f"a-{i}": value for i, value in enumerate(left)}
    half = 1.0 if plain else 4.0
    took = Summary(8, plain, 1.0, plain - half, plain + half)
    remains = paired_difference(by_subject, dict.fromkeys(by_subject, 0.0))
    more = {"visible": "", "passes": "", "p": 0.03, **shown}
    return Survival(took, remains, by_subject, **more)


def test_what_survives_is_told_with_what_it_costs_and_with_the_others():
    most = survival([2.0, 3.0] * 4, visible="0.100", passes="103")
    less, near = survival([1.0, 1.5] * 4), survival([2.5, 2.0] * 4)
    lost, few = survival([1.0, -1.0] * 4, p=1.0), survival([9.0, 8.0], p=0.5)
    never = most._replace(purified=None, left={})
    found = {"Few": few, "Less": less, "Most": most, "Lost": lost, "Never": never}
    assert holding_verdict(found, "JPG", SCORE) == (
        "Score: Most is shown to survive JPG, and holds best. It takes 3.00 [2.00, 4.00] more than"
        " noise, and after JPG 2.50 [2.05, 2.95] remain (8 subjects, LPIPS 0.100, 103 passes per"
        " image). Also shown to survive: Less (1.25 [1.03, 1.47] remain). Not shown to survive:"
        " Lost. Too few subjects: Few. Not run after JPG: Never."
    )
    told = holding_verdict({"Most": most, "Near": near}, "JPG", SCORE)
    assert "holds best." not in told.split("Which")[0]
    assert told.endswith("Which of them holds best is not shown.")
    unsure = survival([2.0, 3.0] * 4, plain=0.0)
    assert ". After JPG 2.50" in holding_verdict({"Most": unsure}, "JPG", SCORE)
    assert holding_verdict({"Lost": lost}, "JPG", SCORE) == (
        "Score: No protection is shown to survive JPG. Unpurified, more than noise is taken by Lost"
        " (3.00 [2.00, 4.00])."
    )
    told = holding_verdict({"Lost": lost, "Few": few, "Never": never}, "JPG", SCORE)
    assert told.startswith("Score: Not shown to survive JPG: Lost. Unpurified")


def test_where_nothing_is_known_to_survive_it_says_why_and_what_to_do():
    few, whole = survival([9.0, 8.0]), survival([2.0, 3.0] * 4)
    never = whole._replace(purified=None, left={})
    found = {"Few": few, "Never": never}
    said = "Score: 2 subjects, too few to conclude which protections survive JPG: run "
    assert holding_verdict(found, "JPG", SCORE) == f"{said}more subjects next."
    assert holding_verdict(found, "JPG", SCORE, "mini") == f"{said}the preset `mini` next."
    unpurified = holding_verdict({"Never": never}, "JPG", SCORE, "mini")
    assert unpurified.startswith("Score: Nothing is concluded")
    assert "as visible" in holding_verdict({}, "JPG", SCORE, "mini")


def test_what_an_interval_shows_and_the_test_does_not_is_no_survival():
    """The sentence goes by the rule of the mark."""
    most, next_one = survival([2.0, 3.0] * 4, p=0.05), survival([1.0, 1.5] * 4, p=0.049)
    told = holding_verdict({"Most": most, "Next": next_one}, "JPG", SCORE)
    assert told.startswith("Score: Next is shown to survive JPG. It takes")
    assert told.endswith(
        "The interval lies beyond 0 but p is not below .05 for Most (2.50 [2.05, 2.95], p = .050)."
    )
    assert "Not shown to survive" not in told


def test_where_the_strongest_purifier_of_a_row_says_otherwise_it_is_said():
    """Auto need not be the purifier that serves the exploit best."""
    holds, lost = survival([2.0, 3.0] * 4), survival([1.0, -1.0] * 4)
    never = holds._replace(purified=None, left={})
    after = {"hardest": ("IMP", holds.purified)}, {"hardest": ("TV", lost.purified)}
    picked = "picked after the run and not tested"
    kept, gone = (f"After the strongest purifier of its row, {picked}, {words}" for words in (
        "more than noise is taken by", "nothing is shown to be left of",
    ))  # fmt: skip
    found = {"Most": holds, "Lost": lost._replace(**after[0]), "Never": never._replace(**after[0])}
    told = holding_verdict(found, "JPG", SCORE)
    also = kept.replace("is taken", "is also taken")
    assert told.endswith(
        f"Not run after JPG: Never. {also} Lost (2.50 [2.05, 2.95] after IMP) and Never (2.50"
        " [2.05, 2.95] after IMP)."
    )
    told = holding_verdict({"Lost": found["Lost"]}, "JPG", SCORE)
    assert told.endswith(f"{kept} Lost (2.50 [2.05, 2.95] after IMP).")
    told = holding_verdict({"Most": holds._replace(**after[1])}, "JPG", SCORE)
    assert told.endswith(f"{gone} Most (+0.000 [-0.894, +0.894] after TV).")
    agreed = {"Most": holds._replace(**after[0]), "Lost": lost._replace(**after[1])}
    few = survival([9.0, 8.0])
    agreed["Few"] = few._replace(hardest=("IMP", few.purified))
    assert "strongest" not in holding_verdict(agreed, "JPG", SCORE)
