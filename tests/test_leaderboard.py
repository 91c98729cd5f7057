"""The committed leaderboard is what the committed results say."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from impress_bench.benchmark.submissions.publish import publish

ROOT = Path(__file__).parents[1]
RESULTS = Path("leaderboard", "results")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A copy of the results with boards and page written anew."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / RESULTS, folder / RESULTS, ignore=shutil.ignore_patterns("boards"))
    measured = ROOT / "leaderboard" / "measured"
    publish(folder / RESULTS, ROOT / "submissions", folder / "LEADERBOARD.md", measured)
    return folder


def test_the_page_is_up_to_date(written):
    assert (written / "LEADERBOARD.md").read_text() == (ROOT / "LEADERBOARD.md").read_text(), (
        "run `make publish` and commit what it changes"
    )


def test_every_board_is_up_to_date(written):
    committed = sorted(ROOT.glob(f"{RESULTS}/*/boards/*"))
    assert {path.relative_to(ROOT) for path in committed} == {
        path.relative_to(written) for path in written.glob(f"{RESULTS}/*/boards/*")
    }
    for path in committed:
        again = written / path.relative_to(ROOT)
        if path.suffix == ".md":
            assert again.read_text() == path.read_text(), path
        elif path.suffix == ".csv":
            tables = [pd.read_csv(file) for file in (again, path)]
            pd.testing.assert_frame_equal(*tables, rtol=1e-9)
        else:
            records = [json.loads(file.read_text()) for file in (again, path)]
            for new, old in zip(*records, strict=True):
                numbers = {key for key, value in old.items() if isinstance(value, float)}
                # Other versions of the libraries may sum in another order.
                assert {key: new[key] for key in numbers} == pytest.approx(
                    {key: old[key] for key in numbers}, rel=1e-9
                ), path
                assert {key: new[key] for key in old.keys() - numbers} == {
                    key: old[key] for key in old.keys() - numbers
                }, path


def test_the_page_links_to_what_is_there():
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / "LEADERBOARD.md").read_text()):
        assert (ROOT / target).exists(), target
