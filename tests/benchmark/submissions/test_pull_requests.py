"""What a pull request may change, on trees as a stranger may send them, and what `make` runs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / ".ci" / "changed_submission.py"
FILES = ("submission.toml", "cells.csv", "distances.csv", "provenance.json")


class Repository:
    """A checkout in which a pull request is made."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.write("README.md", "ours")
        for name in FILES:
            self.write(f"submissions/theirs/{name}", "theirs")
        self.base = self.commit()

    def git(self, *arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, path, text):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def commit(self):
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "-m", "x", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def judge(self, *more):
        """What the script says of all that has been changed."""
        head = self.commit()
        return subprocess.run(
            [sys.executable, SCRIPT, self.base, head, "--repository", self.folder, *more],
            capture_output=True, text=True,
        )  # fmt: skip


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    for name in FILES:
        made.write(f"submissions/my-cloak/{name}", "mine")
    return made


def test_one_folder_is_a_submission(repository, tmp_path):
    """Also where the branch it is meant for has gone on meanwhile."""
    repository.commit()
    head = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "-q", "-b", "later", repository.base)
    repository.write("README.md", "ours, changed")
    repository.base = repository.commit()
    repository.git("checkout", "-q", head)
    judged = repository.judge("--into", tmp_path / "taken")
    assert (judged.returncode, judged.stdout) == (0, "my-cloak\n")
    taken = tmp_path / "taken" / "my-cloak"
    assert sorted(path.name for path in taken.iterdir()) == sorted(FILES)
    assert (taken / "cells.csv").read_text() == "mine"


def test_a_submission_may_be_taken_back(repository):
    repository.base = repository.commit()
    shutil.rmtree(repository.folder / "submissions" / "my-cloak")
    assert repository.judge().stdout == "my-cloak\n"


def link(to, path):
    def make(repository):
        place = repository.folder / path
        place.unlink(missing_ok=True)
        place.symlink_to(to)

    return make


def linked_folder(repository):
    shutil.rmtree(repository.folder / "submissions" / "my-cloak")
    (repository.folder / "submissions" / "my-cloak").symlink_to("theirs")


def program(repository):
    (repository.folder / "submissions" / "my-cloak" / "cells.csv").chmod(0o755)


def submodule(repository):
    """A commit where a file should be."""
    shutil.rmtree(repository.folder / "submissions" / "my-cloak")
    entry = f"160000,{repository.base},submissions/my-cloak/cells.csv"
    repository.git("update-index", "--add", "--cacheinfo", entry)
    repository.commit = lambda: (
        repository.git("commit", "-q", "-m", "x"),
        repository.git("rev-parse", "HEAD"),
    )[1]


def moved(repository):
    """Renamed, their file would show as a change of one path."""
    shutil.rmtree(repository.folder / "submissions" / "my-cloak")
    (repository.folder / "submissions" / "theirs").rename(
        repository.folder / "submissions" / "my-cloak"
    )


def write(path, text="x"):
    return lambda repository: repository.write(path, text)


HOSTILE = {
    "directly in submissions": (write("submissions/submission.toml"), "lies outside of"),
    "a published table": (
        write("leaderboard/results/paper/cells.parquet"),
        "'leaderboard/results/paper/cells.parquet' lies outside of submissions/NAME/",
    ),
    "a measurement": (write("leaderboard/measured/my-cloak/cells.parquet"), "lies outside of"),
    "the judge": (write("benchmark/submissions/reading.py"), "lies outside of"),
    "the workflow": (write(".github/workflows/submission.yml"), "lies outside of"),
    "the Makefile": (write("Makefile"), "lies outside of"),
    "a folder below": (write("submissions/my-cloak/more/cells.csv"), "lies outside of"),
    "a further file": (write("submissions/my-cloak/setup.py"), "does not belong there"),
    "git's attributes": (write("submissions/my-cloak/.gitattributes"), "does not belong there"),
    "somebody else's": (write("submissions/theirs/cells.csv"), "it changes 2 submissions"),
    "moved": (moved, "it changes 2 submissions (my-cloak, theirs); send in one at a time"),
    "nothing": (
        lambda repository: shutil.rmtree(repository.folder / "submissions" / "my-cloak"),
        "it changes 0 submissions (none)",
    ),
    "a name with a command": (write("submissions/$(id)/cells.csv"), "is no name such as"),
    "a name with a line break": (
        write("submissions/a\n::set-output x/cells.csv"),
        r"'submissions/a\n::set-output x/cells.csv'",
    ),
    "a name that is an option": (write("submissions/--force/cells.csv"), "is no name such as"),
    "a name of another script": (write("submissions/\u0430/cells.csv"), "is no name such as"),
    "a long name": (write(f"submissions/{'a' * 60}/cells.csv"), "is no name such as"),
    "a linked file": (link("/etc/passwd", "submissions/my-cloak/cells.csv"), "the mode 120000"),
    "a linked folder": (linked_folder, "lies outside of submissions/NAME/"),
    "a program": (program, "has the mode 100755: put an ordinary file there"),
    "a submodule": (submodule, "has the mode 160000"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_else_a_pull_request_changes_is_refused(repository, tmp_path, case):
    change, expected = HOSTILE[case]
    change(repository)
    judged = repository.judge("--into", tmp_path / "taken")
    assert judged.returncode == 1, judged.stdout
    assert expected in judged.stdout
    assert judged.stdout.startswith("refused: ")
    assert judged.stdout.count("\n") == 1
    assert not (tmp_path / "taken").exists()


def test_what_is_large_is_not_taken(repository, tmp_path):
    (repository.folder / "submissions/my-cloak/cells.csv").write_bytes(b"x" * (8 * 2**20 + 1))
    judged = repository.judge("--into", tmp_path / "taken")
    assert "is larger than 8 MiB" in judged.stdout


@pytest.mark.parametrize("base", ["main", "HEAD^", "$(id)"])
def test_commits_are_named_whole(repository, base):
    repository.base = base
    assert "is no commit's whole name" in repository.judge().stdout


@pytest.mark.parametrize(
    "name",
    ["$(shell touch made)", "`touch made`", "x;touch made", "$$(touch made)", "../x", "X", ""],
)
@pytest.mark.parametrize("goal", ["submission", "-n submission", "clean"])
def test_make_expands_nothing_in_a_name(tmp_path, name, goal):
    """Neither make nor the shell: no goal runs what a name says."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "installed").touch()
    done = subprocess.run(
        ["make", *goal.split(), f"NAME={name}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert not (tmp_path / "made").exists()
    if goal != "clean":
        assert done.returncode == 2
        assert "NAME=" in done.stdout + done.stderr
