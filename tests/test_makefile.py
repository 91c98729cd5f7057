"""`make` alone lists the targets, and the Dockerfile runs nothing but targets."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_alone_lists_every_target():
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = dict(line.removeprefix("make ").split(None, 1) for line in done.stdout.splitlines())
    assert listed.keys() == TARGETS
    assert all("$" not in what for what in listed.values())


def test_the_dockerfile_runs_targets_alone():
    steps = re.findall(r"^RUN (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert steps
    for step in steps:
        assert step.removeprefix("make ") in TARGETS, step


def test_workflows_run_targets_that_exist():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for target in re.findall(r"\bmake ([a-z]+)", path.read_text()):
            assert target in TARGETS, f"{path.name}: make {target}"
