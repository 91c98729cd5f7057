"""`.ci/judge_submission` and the verbs that it calls: what strangers sent in is read before it is
installed, and installed where it cannot judge.

The script runs with a Python that builds nothing and installs nothing: it makes its environment of
scripts that write down what they are asked for. Reading, confining and fetching are the real ones;
what validates stands in, too, since it takes minutes. Verbs that import torch, which takes seconds,
are run by the process of the tests, which has.
"""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.sandbox.confine import missing_walls

SCRIPT = Path(__file__).parents[3] / ".ci" / "judge_submission"
MAIN = "from impress_bench.benchmark.cli import main; main()"
WALLS = missing_walls()
walled = pytest.mark.skipif(bool(WALLS), reason=f"this system does not allow it: {WALLS}")


def with_files(wheel, folder, **files):
    """A copy of a wheel with further files."""
    folder.mkdir()
    path = folder / wheel.name
    shutil.copy(wheel, path)
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pin(submission, wheel):
    """Pin a wheel by its digest in place of a commit."""
    path = submission / "submission.toml"
    kept = [
        line for line in path.read_text().splitlines() if not line.startswith(("git ", "commit "))
    ]
    release = f'version = "1.0"\nsha256 = "{sha256(wheel.read_bytes())}"'
    at = kept.index("[distribution]") + 1
    path.write_text("\n".join([*kept[:at], release, *kept[at:]]) + "\n")


@pytest.fixture
def honest(third_parties):
    return next(third_parties.parent.glob("sample_cloak-*.whl"))


def test_a_wheel_that_is_what_is_pinned_is_named(in_process, submission, honest):
    told = f"sample-cloak 1.0 sha256:{sha256(honest.read_bytes())}\n"
    assert in_process("check-wheel", submission, honest) == (0, told, "")
    pin(submission, honest)
    assert in_process("check-wheel", submission, honest) == (0, told, "")


def test_a_wheel_that_is_not_is_refused(in_process, submission, honest, tmp_path):
    other = next(honest.parent.glob("hostile_cloak-*.whl"))
    judge = {"impress_bench/benchmark/submissions/rerun.py": ""}
    (tmp_path / "text-1.0-py3-none-any.whl").write_text("no archive")
    for wheel, expected in (
        (other, "it holds the distribution 'hostile-cloak', not 'sample-cloak'"),
        (with_files(honest, tmp_path / "judge", **judge), "impress_bench is another's"),
        (with_files(honest, tmp_path / "start", **{"x.pth": "import os"}), "x.pth is no module"),
        (tmp_path / "text-1.0-py3-none-any.whl", "is no wheel"),
    ):
        code, output, complaint = in_process("check-wheel", submission, wheel)
        assert (code, output) == (2, "")
        assert expected in complaint
    pin(submission, honest)
    path = submission / "submission.toml"
    path.write_text(path.read_text().replace('version = "1.0"', 'version = "1.1"'))
    code, output, _ = in_process("check-wheel", submission, honest)
    assert (code, output) == (2, "")


def confine(*words, home, **environment):
    """The verb in a process of its own, with secrets in its environment and in its home."""
    (home / ".ssh").mkdir(parents=True, exist_ok=True)
    (home / ".ssh" / "key").write_text("secret")
    return subprocess.run(
        [sys.executable, "-c", MAIN, "confine", *map(str, words)],
        env={**os.environ, "HOME": str(home), "SECRET_TOKEN": "secret", **environment},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@walled
@pytest.mark.parametrize("network", [False, True])
def test_a_confined_program_writes_where_it_may_and_sees_no_secret(tmp_path, network):
    """What fetches packages is told where from, and has a network."""
    home, mine = tmp_path / "home", tmp_path / "mine"
    mine.mkdir()
    spoil = f"echo x > {mine}/x; echo x > {tmp_path}/x"
    look = f"env; ls {home}/.ssh; {spoil}; tail -n +2 /proc/net/route | wc -l; echo end"
    words = ["--network"] * network + ["--", "sh", "-c", look]
    done = confine("--write", mine, *words, home=home, PIP_FIND_LINKS="here")
    assert done.returncode == 0, done.stderr
    seen = done.stdout.split()
    assert seen[-1] == "end"
    assert not any("SECRET_TOKEN" in one or one == "key" for one in seen)
    assert ("PIP_FIND_LINKS=here" in seen) is network
    routes = len(Path("/proc/net/route").read_text().splitlines()) - 1
    assert seen[-2] == str(routes if network else 0)
    assert (mine / "x").exists()
    assert not (tmp_path / "x").exists()


@walled
def test_how_a_confined_program_ends_is_told(tmp_path):
    failed = confine("--", "sh", "-c", "echo it tore; exit 3", home=tmp_path)
    assert (failed.returncode, failed.stdout) == (1, "it tore\n")
    assert "confine: sh ended with 3: it tore" in failed.stderr
    endless = confine("--time", 0.5, "--", "sleep", 60, home=tmp_path)
    assert endless.returncode == 1
    assert "confine: sleep ran past 0.5 s" in endless.stderr


#: What makes an environment of the stand-ins below.
PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
cp {stand_ins}/python {stand_ins}/impress-bench "$3/bin"
"""
#: Of the environment of theirs: what it is asked for, and what it sees and can spoil. It fetches.
THEIRS = """#!/bin/sh
bin=$(dirname "$0")
echo "$(basename "$0") $*" >> "$bin/../../calls"
case "$3 $5" in
  "install .") touch impress_bench.egg-info; exit ;;
  freeze*) echo torch==2.0; exit ;;
esac
env > "$bin/../../environment"
(echo spoilt > {repository}/spoilt) 2> /dev/null
[ "$3" != wheel ] || exec {python} "$@"
"""
#: Ours.
OURS = """#!/bin/sh
echo "$*" >> {calls}
case "$1" in
  validate) [ ! -e {repository}/refused ] ;;
  confine) exec {python} -c '{main}' "$@" ;;
  *)
    echo "$*" > {folder}/asking
    mv {folder}/asking {folder}/asked
    until [ -e {folder}/code ]; do sleep 0.05; done
    cat {folder}/output
    cat {folder}/complaint >&2
    code=$(cat {folder}/code)
    rm {folder}/code
    exit "$code" ;;
esac
"""


class Judging:
    """A checkout with a submission, and how it is judged where the index holds `wheel`."""

    def __init__(self, folder, submission, verb):
        self.folder, self.repository, self.verb = folder, folder / "repository", verb
        self.submission = self.repository / "submissions" / "sample-cloak"
        shutil.copytree(submission, self.submission)
        (self.repository / ".ci").mkdir()
        shutil.copy(SCRIPT, self.repository / ".ci")
        self.theirs = self.repository / ".submissions" / "sample-cloak"
        stand_ins = folder / "stand-ins"
        places = {
            "stand_ins": stand_ins, "repository": self.repository, "calls": folder / "calls",
            "python": sys.executable, "main": MAIN, "folder": folder,
        }  # fmt: skip
        for name, text in (
            ("stand-ins/python3", PYTHON), ("stand-ins/python", THEIRS),
            ("stand-ins/impress-bench", THEIRS), ("ours/impress-bench", OURS),
        ):  # fmt: skip
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.format(**places))
            path.chmod(0o755)

    def judge(self, wheel, name="sample-cloak"):
        (self.folder / "index").mkdir()
        shutil.copy(wheel, self.folder / "index")
        environment = {
            **os.environ, "NAME": name, "SECRET_TOKEN": "secret",
            "OURS": str(self.folder / "ours"),
            "PYTHON": str(self.folder / "stand-ins" / "python3"),
            "PIP_FIND_LINKS": str(self.folder / "index"),
            "PIP_INDEX_URL": (self.folder / "empty").as_uri(),
        }  # fmt: skip
        process = subprocess.Popen(
            [self.repository / ".ci" / "judge_submission"], env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            for _ in range(1200):
                self.answer()
                if process.poll() is not None:
                    break
                time.sleep(0.05)
        finally:
            process.kill()
        return process.returncode, *process.communicate()

    def answer(self):
        """Run the verb that a script waits for."""
        asked = self.folder / "asked"
        if not asked.exists():
            return
        words = asked.read_text().split()
        asked.unlink()
        code, output, complaint = self.verb(*words)
        (self.folder / "output").write_text(output)
        (self.folder / "complaint").write_text(complaint)
        (self.folder / "coming").write_text(str(code))
        (self.folder / "coming").rename(self.folder / "code")

    def calls(self):
        """What ours and theirs were asked for; where theirs lies is written THEIRS."""
        told = []
        for path in (self.folder / "calls", self.theirs / "calls"):
            text = path.read_text() if path.exists() else ""
            told.append(text.replace(str(self.theirs), "THEIRS").splitlines())
        return told


@pytest.fixture
def judging(submission, tmp_path, in_process, monkeypatch):
    made = Judging(tmp_path, submission, in_process)
    monkeypatch.chdir(made.repository)
    return made


@walled
def test_a_plugin_is_installed_in_an_environment_that_does_not_judge(judging, honest):
    """By its digest; what it depends on moves no version of ours; all of it confined."""
    pin(judging.submission, honest)
    code, *told = judging.judge(honest)
    assert code == 0, told
    fetch = (
        "-m pip wheel --quiet --no-deps --wheel-dir THEIRS/release --requirement THEIRS/theirs.txt"
    )
    install = f"-m pip install --quiet --constraint THEIRS/ours.txt THEIRS/release/{honest.name}"
    folder, confined = "submissions/sample-cloak", "confine --write THEIRS"
    ours, theirs = judging.calls()
    assert ours == [
        f"validate {folder}",
        f"requirement {folder}",
        f"{confined} --network -- THEIRS/env/bin/python {fetch}",
        f"check-wheel {folder} THEIRS/release/{honest.name}",
        f"{confined} --network -- THEIRS/env/bin/python {install}",
        f"{confined} -- THEIRS/env/bin/impress-bench check sample-cloak",
        f"validate {folder} --rerun --plugins THEIRS/env/bin/python"
        " --measured .submissions/measured",
    ]
    assert theirs == [
        "python -m pip install --quiet .",
        "python -m pip freeze --exclude impress-bench",
        f"python {fetch}",
        f"python {install}",
        "impress-bench check sample-cloak",
    ]
    pinned = f"sample-cloak==1.0 --hash=sha256:{sha256(honest.read_bytes())}\n"
    assert (judging.theirs / "theirs.txt").read_text() == pinned
    assert (judging.theirs / "ours.txt").read_text() == "torch==2.0\n"
    assert not (judging.repository / "impress_bench.egg-info").exists()
    assert not (judging.repository / "spoilt").exists()
    assert "SECRET_TOKEN" not in (judging.theirs / "environment").read_text()


@walled
def test_a_wheel_of_another_digest_is_not_fetched(judging, honest, tmp_path):
    pin(judging.submission, honest)
    other = with_files(honest, tmp_path / "other", **{"sample_cloak/x.py": ""})
    code, output, _ = judging.judge(other)
    assert code == 1
    assert "DO NOT MATCH THE HASHES" in output
    ours, theirs = judging.calls()
    assert [call.split()[0] for call in ours] == ["validate", "requirement", "confine"]
    assert theirs[-1].startswith("python -m pip wheel ")


@walled
def test_a_wheel_that_brings_a_judge_is_not_installed(judging, honest, tmp_path):
    """Not even into the environment of theirs, whose digest it has."""
    judge = {"impress_bench/benchmark/submissions/rerun.py": ""}
    wheel = with_files(honest, tmp_path / "judge", **judge)
    pin(judging.submission, wheel)
    code, _, complaint = judging.judge(wheel)
    assert code == 2
    assert "impress_bench is another's" in complaint
    ours, theirs = judging.calls()
    assert ours[-1].startswith("check-wheel ")
    assert theirs[-1].startswith("python -m pip wheel ")


def test_what_is_refused_when_read_is_not_fetched(judging, honest):
    (judging.repository / "refused").touch()
    assert judging.judge(honest)[0] == 1
    assert judging.calls() == [["validate submissions/sample-cloak"], []]
    assert not judging.theirs.exists()


@pytest.mark.parametrize("name", ["", "../ours", "a b", "$(touch spoilt)", "-x"])
def test_a_name_that_is_none_runs_nothing(judging, honest, name):
    assert judging.judge(honest, name)[0] != 0
    assert judging.calls() == [[], []]
    assert not (judging.repository / "spoilt").exists()
