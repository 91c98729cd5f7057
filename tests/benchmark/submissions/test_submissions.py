"""Submissions: what `submit` writes is accepted, and every way to get one wrong is named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.submissions.model import Distribution, schema
from impress_bench.benchmark.submissions.reading import find_submissions, read
from impress_bench.benchmark.submissions.writing import submit

SCHEMA = Path(__file__).parents[3] / "docs" / "submission.schema.json"
PIN = {"git": "https://example.org/sample-cloak.git", "commit": "0123456789" * 4}
MAIN = "from impress_bench.benchmark.cli import main; main()"


@pytest.fixture
def measured(tmp_path, made_up):
    return made_up(tmp_path / "run", ["identity", "sample-cloak"], 0.5)


@pytest.fixture
def submission(measured, plugins, tmp_path):
    return submit("sample-cloak", measured, tmp_path / "submissions", **PIN)


def told(folder):
    return [str(complaint) for complaint in read(folder).complaints]


def test_what_submit_writes_is_accepted(submission, plugins):
    reading = read(submission)
    assert reading.complaints == []
    assert set(reading.cells["protection"]) == {"sample-cloak"}
    assert len(reading.cells) == 2 * len(set(reading.cells["metric"]))
    assert reading.submission.licence == "Apache-2.0"
    assert find_submissions(submission.parent) == [submission] == find_submissions(submission)


def test_what_is_installed_is_pinned():
    release = Distribution(name="my-cloak", version="1.0", sha256="ab" * 32)
    assert release.requirement() == f"my-cloak==1.0 --hash=sha256:{'ab' * 32}"
    source = Distribution(name="my-cloak", **PIN)
    assert source.requirement() == f"my-cloak @ git+{PIN['git']}@{PIN['commit']}"


def test_a_wheel_is_pinned_by_its_digest(measured, plugins, tmp_path, third_parties):
    wheel = next(third_parties.parent.glob("sample_cloak-*.whl"))
    folder = submit("sample-cloak", measured, tmp_path, wheel=wheel)
    distribution = read(folder).submission.distribution
    assert distribution.sha256 == sha256(wheel.read_bytes())
    assert distribution.version == "1.0"


def edit(folder, old, new, file="submission.toml"):
    """Change a file; where it is one with a digest, the digest follows."""
    path = folder / file
    content = path.read_text()
    assert old in content
    before = sha256(path.read_bytes())
    path.write_text(content.replace(old, new, 1))
    if file != "submission.toml":
        edit(folder, before, sha256(path.read_bytes()))


def renamed(folder):
    return folder.rename(folder.with_name("another"))


def linked(folder):
    target = folder.parent / "elsewhere.csv"
    (folder / "cells.csv").rename(target)
    (folder / "cells.csv").symlink_to(target)


def first_line(folder):
    return (folder / "cells.csv").read_text().splitlines()[1]


WRONG = {
    "renamed": (renamed, "submission.toml: name: 'sample-cloak' is not the folder's name"),
    "a name that escapes": (
        lambda f: edit(f, 'name = "sample-cloak"', 'name = "../../sample-cloak"'),
        "submission.toml: name: '../../sample-cloak' does not match",
    ),
    "a link": (linked, "cells.csv: is a link; put the file itself here"),
    "a further file": (
        lambda f: (f / "setup.py").write_text("import os"),
        "setup.py: does not belong here",
    ),
    "a file too few": (lambda f: (f / "provenance.json").unlink(), "provenance.json: is missing"),
    "an enormous file": (
        lambda f: (f / "cells.csv").write_bytes(b"x" * (20 * 2**20 + 1)),
        "cells.csv: is larger than 20 MiB",
    ),
    "no TOML": (lambda f: edit(f, "name =", "name"), "submission.toml: is no TOML file"),
    "an unknown field": (
        lambda f: edit(f, "kind =", 'kindness = "great"\nkind ='),
        "submission.toml: kindness: is no field of a submission; leave it out",
    ),
    "a missing field": (
        lambda f: edit(f, 'licence = "Apache-2.0"\n', ""),
        "submission.toml: licence: is missing",
    ),
    "an unknown licence": (
        lambda f: edit(f, '"Apache-2.0"', '"Mine alone"'),
        "submission.toml: licence: Invalid license expression",
    ),
    "an unpinned version": (
        lambda f: edit(f, f'git = "{PIN["git"]}"\ncommit = "{PIN["commit"]}"', 'version = "1.0"'),
        "submission.toml: distribution: must be pinned",
    ),
    "a range of versions": (
        lambda f: edit(
            f,
            f'git = "{PIN["git"]}"\ncommit = "{PIN["commit"]}"',
            f'version = ">=1.0"\nsha256 = "{"ab" * 32}"',
        ),
        "submission.toml: distribution.version: is no exact version",
    ),
    "pinned twice": (
        lambda f: edit(f, "git =", f'version = "1.0"\nsha256 = "{"ab" * 32}"\ngit ='),
        "submission.toml: distribution: must be pinned",
    ),
    "a branch for a commit": (
        lambda f: edit(f, PIN["commit"], "main"),
        "submission.toml: distribution.commit: 'main' does not match",
    ),
    "a file for an address": (
        lambda f: edit(f, PIN["git"], "file:///etc"),
        "submission.toml: distribution.git: 'file:///etc' does not match",
    ),
    "a wrong hash of the cells": (
        lambda f: (f / "cells.csv").write_text((f / "cells.csv").read_text() + "\n"),
        "submission.toml: claims.cells: cells.csv has the SHA-256",
    ),
    "a wrong hash of the provenance": (
        lambda f: (f / "provenance.json").write_text("{}"),
        "submission.toml: claims.provenance: provenance.json has the SHA-256",
    ),
    "another benchmark": (
        lambda f: edit(f, 'benchmark = "', 'benchmark = "9.'),
        "submission.toml: claims.benchmark: 9.",
    ),
    "a preset of one's own": (
        lambda f: edit(f, 'preset = "quick"', 'preset = "kind"'),
        "submission.toml: claims.preset: 'kind' is not shipped",
    ),
    "results from another preset": (
        lambda f: edit(f, 'preset = "quick"', 'preset = "mini"'),
        "provenance.json: preset.name: 'quick' is not the preset claimed, 'mini'",
    ),
    "settings of one's own": (
        lambda f: edit(f, '"threads": ', '"threads": 7', "provenance.json"),
        "provenance.json: preset.threads: is not as in quick",
    ),
    "another model": (
        lambda f: edit(f, '"digest": "', '"digest": "0', "provenance.json"),
        "provenance.json: models.protection.digest: is another model's",
    ),
    "a provenance that is no table": (
        lambda f: edit(f, (f / "provenance.json").read_text(), "[1]", "provenance.json"),
        "provenance.json: cannot be read: it holds no table",
    ),
    "a provenance without packages": (
        lambda f: edit(f, '"packages"', '"parcels"', "provenance.json"),
        "provenance.json: packages: is missing",
    ),
    "a preset that cannot be one": (
        lambda f: edit(f, '"seeds": [\n   0\n  ]', '"seeds": []', "provenance.json"),
        "provenance.json: seeds: ",
    ),
    "run with another version": (
        lambda f: edit(f, '"impress-bench": "', '"impress-bench": "9.', "provenance.json"),
        "provenance.json: packages.impress-bench: is not the version claimed",
    ),
    "another distribution's plugin": (
        lambda f: edit(f, 'name = "sample-cloak"\ngit', 'name = "harmless"\ngit'),
        "provenance.json: components.protection sample-cloak: is of the distribution",
    ),
    "a version that was not run": (
        lambda f: edit(
            f,
            f'git = "{PIN["git"]}"\ncommit = "{PIN["commit"]}"',
            f'version = "1.1"\nsha256 = "{"ab" * 32}"',
        ),
        "was run in version 1.0, not in the one pinned, 1.1",
    ),
    "numbers without end": (
        lambda f: edit(f, "kind =", f"x = {'9' * 5000}\nkind ="),
        "submission.toml: is no TOML file",
    ),
    "markup": (
        lambda f: edit(f, 'summary = "', 'summary = "<img src=x> '),
        "submission.toml: summary: must be one line of plain text",
    ),
    "other columns": (
        lambda f: edit(f, "task,subject", "subject,task", "cells.csv"),
        "cells.csv: cannot be read: its first line is",
    ),
    "a column too many": (
        lambda f: edit(f, first_line(f), f"{first_line(f)},x", "cells.csv"),
        "cells.csv: cannot be read: line 2 has 10 columns, not 9",
    ),
    "somebody else's row": (
        lambda f: edit(f, ",sample-cloak,", ",glaze,", "cells.csv"),
        "cells.csv: line 2: is of protection 'glaze', not of 'sample-cloak'",
    ),
    "a task that names a file": (
        lambda f: edit(f, "malicious-editing,", "x/../../escaped,", "cells.csv"),
        "cells.csv: line 2: task 'x/../../escaped' is nothing that a run writes there",
    ),
    "a task of another preset": (
        lambda f: edit(f, "malicious-editing,", "sculpture,", "cells.csv"),
        "cells.csv: line 2: task 'sculpture' is none of the preset quick",
    ),
    "a subject that nobody knows": (
        lambda f: edit(f, ",photo-01,", ",photo-77,", "cells.csv"),
        "cells.csv: line 2: subject 'photo-77' is none of the preset quick",
    ),
    "a purifier of one's own": (
        lambda f: edit(f, ",none,", ",nothing,", "cells.csv"),
        "cells.csv: line 2: purifier 'nothing' is none of the preset quick",
    ),
    "the best of many seeds": (
        lambda f: edit(f, ",none,0,", ",none,7,", "cells.csv"),
        "cells.csv: line 2: seed '7' is none of the preset quick",
    ),
    "a metric of one's own": (
        lambda f: edit(f, ",ssim,", ",beauty,", "cells.csv"),
        "cells.csv: line 2: metric 'beauty' is none of the preset quick",
    ),
    "another spelling": (
        lambda f: edit(f, ",sample-cloak,", ",sample-cloak[side= 2],", "cells.csv"),
        "cells.csv: line 2: protection 'sample-cloak[side= 2]' is written 'sample-cloak[side=2]'",
    ),
    "a cell twice": (
        lambda f: edit(f, first_line(f), f"{first_line(f)}\n{first_line(f)}", "cells.csv"),
        "cells.csv: line 3: names a cell that is there already",
    ),
    "no number": (
        lambda f: edit(f, first_line(f), first_line(f).replace(",0.", ",inf0."), "cells.csv"),
        "cells.csv: line 2: value 'inf0.",
    ),
    "done without a value": (
        lambda f: edit(
            f, first_line(f), ",".join([*first_line(f).split(",")[:6], "", "done", ""]), "cells.csv"
        ),
        "cells.csv: line 2: has the value '' and the state done",
    ),
    "a state of one's own": (
        lambda f: edit(f, ",done,", ",splendid,", "cells.csv"),
        "cells.csv: line 2: state 'splendid' is nothing that a run writes there",
    ),
    "nothing claimed": (
        lambda f: edit(f, (f / "cells.csv").read_text().partition("\n")[2], "", "cells.csv"),
        "cells.csv: cannot be read: it claims nothing",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_place(submission, case):
    change, expected = WRONG[case]
    moved = change(submission)
    folder = moved if isinstance(moved, Path) and moved.is_dir() else submission
    assert any(expected in line for line in told(folder)), told(folder)


def test_a_link_to_a_folder_is_refused(submission):
    link = submission.parent / "elsewhere"
    link.symlink_to(submission)
    assert told(link) == [f"{link}: is a link; put the folder itself here"]


def test_what_cannot_be_found_out_is_asked_for(measured, plugins, tmp_path):
    with pytest.raises(ConfigError, match=r"give --wheel FILE"):
        submit("sample-cloak", measured, tmp_path)
    with pytest.raises(ConfigError, match=r"--wheel: .*No such file"):
        submit("sample-cloak", measured, tmp_path, wheel=tmp_path / "none.whl")
    with pytest.raises(ConfigError, match=r"holds no cell of protection 'hostile'"):
        submit("hostile", measured, tmp_path, **PIN)
    with pytest.raises(ConfigError, match=r"no registered protection or purifier"):
        submit("unheard-of", measured, tmp_path, **PIN)


def test_the_published_schema_is_the_model():
    assert SCHEMA.read_text() == schema()


def impress_bench(third_parties, folder, *arguments):
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        env={"PYTHONPATH": str(third_parties), "OMP_NUM_THREADS": "2", "PATH": ""},
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_claims_are_measured_again(third_parties, tmp_path):
    """From a run to a submission that comes out again, and one that does not."""
    narrow = (
        "--protections",
        "sample-cloak",
        "--purifiers",
        "none",
        "--tasks",
        "malicious-editing",
    )
    place = ("--out", tmp_path / "run", "--store", tmp_path / "store", "--quiet")
    ran = impress_bench(third_parties, tmp_path, "run", "--preset", "quick", *narrow, *place)
    assert ran.returncode == 0, ran.stderr
    pin = [word for key, value in PIN.items() for word in (f"--{key}", value)]
    sent = impress_bench(
        third_parties, tmp_path, "submit", "sample-cloak", "--run", tmp_path / "run", *pin
    )
    assert sent.returncode == 0, sent.stderr
    again = ("validate", "submissions", "--rerun", "0.1", "--quiet")
    accepted = impress_bench(third_parties, tmp_path, *again)
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    folder = tmp_path / "submissions" / "sample-cloak"
    line = next(line for line in (folder / "cells.csv").read_text().splitlines() if "psnr" in line)
    words = line.split(",")
    words[6] = str(float(words[6]) + 3)
    edit(folder, line, ",".join(words), "cells.csv")
    refused = impress_bench(third_parties, tmp_path, *again, "--json")
    assert refused.returncode == 1
    complaints = json.loads(refused.stdout)
    assert len(complaints) == 1
    assert "sample-cloak none seed=0 psnr" in complaints[0]["field"]
    assert "and came out as" in complaints[0]["problem"]


def test_the_requirement_is_printed(submission, third_parties, tmp_path):
    printed = impress_bench(third_parties, tmp_path, "requirement", submission)
    assert printed.stdout == f"sample-cloak @ git+{PIN['git']}@{PIN['commit']}\n"
    (submission / "submission.toml").write_text("x")
    refused = impress_bench(third_parties, tmp_path, "requirement", submission)
    assert refused.returncode == 2
    assert "is no TOML file" in refused.stderr
