"""The workflows: who may write what, and what the scripts behind them refuse."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from impress_bench.benchmark.submissions.measured import RECORD, digests
from impress_bench.benchmark.submissions.model import FILES

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs():
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            yield pytest.param(path, job, id=f"{path.stem}-{name}")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_digest(path):
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    for action, comment in used:
        assert re.fullmatch(r"(actions|pypa)/[a-z-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(path):
    assert yaml.safe_load(path.read_text())["permissions"] == {}


@pytest.mark.parametrize(("path", "job"), list(jobs()))
def test_who_may_write_runs_nothing_of_others(path, job):
    """A job with a token that writes installs no package and builds nothing."""
    commands = "\n".join(step.get("run", "") for step in job["steps"])
    assert job["timeout-minutes"] <= 90
    assert job["runs-on"] == "ubuntu-24.04"
    if "write" in job["permissions"].values():
        assert not re.search(r"\b(make|pip|judge|impress-bench)\b", commands)
    else:
        checkouts = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize(("path", "job"), list(jobs()))
def test_what_strangers_chose_reaches_commands_by_the_environment(path, job):
    for step in job["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_page_is_tested_in_a_browser():
    """Without Playwright its tests are skipped, which no job noticed."""
    checks = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text())
    commands = "\n".join(step.get("run", "") for step in checks["jobs"]["page"]["steps"])
    assert "'.[browser]'" in commands
    assert "pytest tests/leaderboard/html" in commands
    assert "grep -q SKIPPED" in commands


def test_a_pull_request_is_judged_by_the_code_of_its_base():
    text = (ROOT / ".github" / "workflows" / "submission.yml").read_text()
    assert text.count("actions/checkout") == 1
    assert "ref: ${{ github.event.pull_request.base.sha }}" in text
    assert "pull_request_target" not in text


@pytest.fixture
def pull_request(submission, tmp_path):
    """A checkout of the base, into which a pull request with a submission was fetched."""

    def git(*arguments):
        words = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
        done = subprocess.run(words, cwd=tmp_path / "repository", capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    repository = tmp_path / "repository"
    (repository / ".ci").mkdir(parents=True)
    for name in ("judge_pull_request", "changed_submission.py"):
        (repository / ".ci" / name).write_bytes((ROOT / ".ci" / name).read_bytes())
        (repository / ".ci" / name).chmod(0o755)
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "base")
    base = git("rev-parse", "HEAD")

    def send(change):
        target = repository / "submissions" / "sample-cloak"
        target.mkdir(parents=True)
        for path in submission.iterdir():
            (target / path.name).write_bytes(path.read_bytes())
        change(repository)
        git("add", "-A", "-f")
        git("commit", "-q", "-m", "sent")
        head = git("rev-parse", "HEAD")
        git("checkout", "-q", base)
        judge = f'{sys.executable} -c "from impress_bench.benchmark.cli import main; main()"'
        script = tmp_path / "judge"
        script.write_text(f"#!/bin/sh\nset -e\necho judged $NAME\n{judge} validate submissions\n")
        script.chmod(0o755)
        return subprocess.run(
            [repository / ".ci" / "judge_pull_request", base, head],
            env={**os.environ, "JUDGE": str(script)}, capture_output=True, text=True,
        )  # fmt: skip

    return send


def test_an_honest_pull_request_is_judged(pull_request, plugins):
    judged = pull_request(lambda repository: None)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert judged.stdout.splitlines() == [
        "judged sample-cloak",
        "submissions/sample-cloak: accepted, but nothing was measured again",
    ]


def laid_directly(repository):
    """As a folder that holds what it is called: `submissions/submission.toml`, and so on."""
    for path in (repository / "submissions" / "sample-cloak").iterdir():
        (repository / "submissions" / path.name).write_bytes(path.read_bytes())


def with_a_judge(repository):
    """The judge that it would like to have."""
    (repository / ".ci" / "judge_pull_request").write_text("#!/bin/sh\nexit 0\n")


def with_figures(repository):
    (repository / "leaderboard" / "measured" / "sample-cloak").mkdir(parents=True)
    (repository / "leaderboard/measured/sample-cloak/cells.parquet").write_text("x")


@pytest.mark.parametrize("change", [laid_directly, with_a_judge, with_figures])
def test_a_hostile_pull_request_is_judged_by_nobody(pull_request, change):
    judged = pull_request(change)
    assert judged.returncode == 1
    assert judged.stdout.startswith("refused: ")
    assert "lies outside of submissions/NAME/" in judged.stdout
    assert "judged" not in judged.stdout


def test_what_was_not_measured_is_pending(submission, tmp_path):
    script = [sys.executable, ROOT / ".ci" / "pending_submissions.py", tmp_path]

    def pending():
        return json.loads(subprocess.run(script, capture_output=True, check=True).stdout)

    (tmp_path / "submissions" / "$(id)").mkdir()
    assert pending() == ["sample-cloak"]
    record = tmp_path / "leaderboard" / "measured" / "sample-cloak" / RECORD
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"files": digests(submission)}))
    assert pending() == []
    assert set(digests(submission)) == set(FILES)
    (submission / "cells.csv").write_text("x")
    assert pending() == ["sample-cloak"]


TAKEN = (
    "LEADERBOARD.md",
    "leaderboard/results/paper/boards/table-1.md",
    "leaderboard/results/paper/boards/LEADERBOARD.md",
    "leaderboard/measured/my-cloak/cells.parquet",
    "leaderboard/measured/my-cloak/submission.json",
)


def take(source, target):
    words = [sys.executable, ROOT / ".ci" / "take_published.py", source, target]
    return subprocess.run(words, capture_output=True, text=True)


@pytest.fixture
def received(tmp_path):
    for name in TAKEN:
        (tmp_path / "received" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "received" / name).write_text(name)
    return tmp_path / "received"


def test_what_is_published_is_taken(received, tmp_path):
    taken = take(received, tmp_path / "checkout")
    assert taken.stdout.split() == sorted(TAKEN)
    for name in TAKEN:
        assert (tmp_path / "checkout" / name).read_text() == name


@pytest.mark.parametrize(
    "path",
    [
        "leaderboard/results/paper/cells.parquet",
        "leaderboard/results/paper/provenance.json",
        ".github/workflows/leaderboard.yml",
        "benchmark/cli.py",
        "submissions/my-cloak/cells.csv",
        "leaderboard/measured/my-cloak/run.sh",
        "leaderboard/measured/cells.parquet",
        "leaderboard/measured/my\ncloak/cells.parquet",
    ],
)
def test_nothing_else_is_taken(received, tmp_path, path):
    (received / path).parent.mkdir(parents=True, exist_ok=True)
    (received / path).write_text("x")
    taken = take(received, tmp_path / "checkout")
    assert taken.returncode == 1
    assert taken.stdout.startswith("refused: ")
    assert not (tmp_path / "checkout").exists()


@pytest.mark.parametrize("name", ["LEADERBOARD.md", "leaderboard/measured"])
def test_links_are_not_taken(received, tmp_path, name):
    place = received / name
    if place.is_dir():
        place.rename(tmp_path / "elsewhere")
    else:
        place.unlink()
    place.symlink_to(tmp_path / "elsewhere")
    assert take(received, tmp_path / "checkout").returncode == 1
