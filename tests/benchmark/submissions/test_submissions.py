"""Submissions: what `submit` writes is accepted, what `validate` would refuse is not written."""

import json
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.scaffold import scaffold
from impress_bench.benchmark.submissions import writing
from impress_bench.benchmark.submissions.cells import STATES
from impress_bench.benchmark.submissions.confined import is_plain, plain
from impress_bench.benchmark.submissions.grid import offered
from impress_bench.benchmark.submissions.measured import complaints_of, measured_part
from impress_bench.benchmark.submissions.model import Distribution, schema
from impress_bench.benchmark.submissions.reading import Complaint, find_submissions, read
from impress_bench.benchmark.submissions.writing import Refused, submit

NOISE = "random-noise[match=sample-cloak,within=mask]"
SCHEMA = Path(__file__).parents[3] / "docs" / "submission.schema.json"
PIN = {"git": "https://example.org/sample-cloak.git", "commit": "0123456789" * 4}
MAIN = "from impress_bench.benchmark.cli import main; main()"


def test_what_submit_writes_is_accepted(submission, plugins):
    reading = read(submission)
    assert (reading.complaints, reading.warnings) == ([], [])
    claimed = reading.claimed
    assert claimed.specs == ["sample-cloak"]
    assert {"identity", "control:grey-head"} < set(claimed.cells["protection"])
    assert set(claimed.distances["protection"]) == {"identity", "sample-cloak", NOISE}
    assert set(claimed.provenance["packages"]) > {"impress-bench", "sample-cloak"}
    assert "git" not in claimed.provenance
    assert "hardware" not in claimed.provenance
    assert reading.submission.licence == "Apache-2.0"
    assert find_submissions(submission.parent) == ([submission], [])
    assert find_submissions(submission) == ([submission], [])


def test_every_state_of_a_run_can_be_sent_in(made_up, tmp_path):
    """Reasons hold what plugins raise: they are sent in as plain text."""
    states = [(60 + at, str(state)) for at, state in enumerate(STATES) if state != State.DONE]
    run = made_up(tmp_path / "run", states=states)
    folder, _ = submit("sample-cloak", run, tmp_path / "submissions", **PIN)
    cells = read(folder).claimed.cells.set_index("state")
    assert set(cells.index) == set(STATES)
    told = cells.loc["failed", "reason"]
    assert told == "protection x a=1 is failed, b so it is /b https example.org"


def test_plain_text_is_what_it_was_or_less():
    for text in ("a b", "<b>x</b>\n", "[a](b)", "see http://x.org", "a\u202eb", "mailto:x@y"):
        assert is_plain(plain(text))
        assert is_plain(text) == (plain(text) == text)


def test_shredded_images_are_marked(made_up, tmp_path):
    run = made_up(tmp_path / "run", distance=200 / 255)
    _, warnings = submit("sample-cloak", run, tmp_path / "submissions", **PIN)
    told = "distances.csv: linf: sample-cloak moves values by up to 200/255, more than 16/255"
    assert [told in str(one) for one in warnings] == [True]


def test_a_plugin_that_chooses_its_subjects_is_marked(made_up, tmp_path, monkeypatch):
    """Skipping some subjects of a task is allowed (a style may be its own target), and shown."""
    run = made_up(tmp_path / "run")
    folder, _ = submit("sample-cloak", run, tmp_path / "submissions", **PIN)
    claimed = read(folder).claimed
    other = claimed.cells.assign(subject="another")
    own = other["protection"] == "sample-cloak"
    other.loc[own, ["state", "value", "reason"]] = ["skipped", "", "does not apply"]
    both = claimed._replace(cells=pd.concat([claimed.cells, other], ignore_index=True))
    from impress_bench.benchmark.submissions.claims import warnings

    told = [problem for _, _, problem in warnings(both)]
    assert told == ["sample-cloak is skipped for 1 of 2 subjects"] * 2


def test_what_is_installed_is_pinned():
    release = Distribution(name="my-cloak", version="1.0", sha256="ab" * 32)
    assert release.requirement() == f"my-cloak==1.0 --hash=sha256:{'ab' * 32}"
    source = Distribution(name="my-cloak", **PIN)
    assert source.requirement() == f"my-cloak @ git+{PIN['git']}@{PIN['commit']}"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"licence": "Mine alone"}, r"licence: Invalid license .*; give --licence"),
        ({"paper": "https://x.org/a)[b](c"}, r"paper: .* begins with https.*; give --paper"),
        (
            {"git": "git@example.org:me/x.git"},
            r"git: 'git@.*' is not the plain https.*; give --git",
        ),
        ({"commit": "0123abc"}, r"commit: '0123abc' is not the whole hash.*; give --commit"),
        ({"summary": "short"}, r"summary: .* at least 10.*; give --summary"),
    ],
)
def test_what_would_be_refused_is_not_written(measured, tmp_path, more, expected):
    with pytest.raises(Refused, match=expected):
        submit("sample-cloak", measured, tmp_path / "submissions", **{**PIN, **more})
    assert list((tmp_path / "submissions").iterdir()) == []


def test_a_package_without_a_licence_is_told_so(measured, tmp_path, monkeypatch):
    said = writing._said
    monkeypatch.setattr(
        writing, "_said", lambda of, *names: said(of, *names) if names == ("Summary",) else ""
    )
    with pytest.raises(ConfigError, match=r"sample-cloak names none; give --licence, such as MIT"):
        submit("sample-cloak", measured, tmp_path / "submissions", **PIN)
    folder, _ = submit("sample-cloak", measured, tmp_path, licence="MIT", **PIN)
    assert read(folder).submission.licence == "MIT"


def test_a_summary_that_nobody_wrote_is_not_sent_in(measured, tmp_path):
    scaffold("protection", "my-cloak", tmp_path)
    project = tomllib.loads((tmp_path / "my-cloak" / "pyproject.toml").read_text())["project"]
    told = r"summary: 'A protection for impress-bench' is what .* wrote; give --summary"
    with pytest.raises(ConfigError, match=told):
        submit("sample-cloak", measured, tmp_path / "into", **PIN, summary=project["description"])
    assert not (tmp_path / "into").exists()


def test_an_incomplete_run_is_not_sent_in(made_up, tmp_path):
    run = made_up(tmp_path / "run", tasks=["malicious-editing"])
    with pytest.raises(Refused, match=r"cells.csv: lacks .* cells, the first style-mimicry"):
        submit("sample-cloak", run, tmp_path / "submissions", **PIN)


def test_a_protection_is_not_sent_in_without_its_noise(made_up, tmp_path):
    """Without it nobody can say what the protection takes beyond its visibility; the complaint is a
    command that can be copied into a shell."""
    run = made_up(tmp_path / "run", ["identity", "sample-cloak"])
    told = f"--protections 'identity,{NOISE},sample-cloak', and `submit` again"
    with pytest.raises(Refused, match=re.escape(told)):
        submit("sample-cloak", run, tmp_path / "submissions", **PIN)


def test_what_adapts_a_protection_shares_its_noise():
    adapted = ["sample-cloak", "sample-cloak+consistency", "sample-cloak[side=2]"]
    assert offered("quick").rows("protection", adapted) == ["identity", NOISE, *adapted]
    alone = "sample-cloak[side=2]"
    noise = f"random-noise[match={alone},within=mask]"
    assert offered("quick").rows("protection", [alone]) == ["identity", noise, alone]
    assert offered("quick").rows("purifier", ["sample-purifier"]) == ["none", "sample-purifier"]


def test_a_folder_is_replaced_on_demand_alone(measured, tmp_path):
    folder, _ = submit("sample-cloak", measured, tmp_path, **PIN)
    with pytest.raises(ConfigError, match=r"is there already; give --force"):
        submit("sample-cloak", measured, tmp_path, **PIN)
    assert submit("sample-cloak", measured, tmp_path, force=True, **PIN)[0] == folder


def test_what_a_preset_does_not_hold_is_left_out_and_named(made_up, tmp_path):
    run = made_up(
        tmp_path / "run",
        purifiers=["none", "jpeg", "gaussian-noise", "resize", "vae-round-trip", "impress",
                   "bit-depth"],
    )  # fmt: skip
    folder, warnings = submit("sample-cloak", run, tmp_path / "submissions", **PIN)
    assert [str(one) for one in warnings] == [
        "cells.csv: purifier bit-depth: is none of the preset's and left out"
    ]
    assert not read(folder).complaints


def test_a_purifier_is_sent_in_with_every_protection(made_up, third_parties, tmp_path):
    from impress_bench.benchmark.harness.config.loading import load_preset

    protections = load_preset("quick").protections
    run = made_up(tmp_path / "run", protections, purifiers=["none", "sample-purifier"])
    folder, _ = submit("sample-purifier", run, tmp_path / "submissions", **PIN)
    reading = read(folder)
    assert (reading.submission.kind, reading.complaints) == ("purifier", [])
    assert set(reading.claimed.cells["purifier"]) == {"", "none", "sample-purifier"}


def test_changed_line_endings_are_named(submission, plugins):
    """As an editor or git on Windows changes them."""
    path = submission / "cells.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (complaint,) = read(submission).complaints
    assert "cells.csv was written with other line endings, CRLF" in complaint.problem


def test_a_link_to_a_folder_is_refused(submission):
    link = submission.parent / "elsewhere"
    link.symlink_to(submission)
    assert [str(one) for one in read(link).complaints] == [
        f"{link}: is a link; put the folder itself here"
    ]


def test_what_cannot_be_found_out_is_asked_for(measured, plugins, tmp_path):
    with pytest.raises(ConfigError, match=r"give --wheel FILE"):
        submit("sample-cloak", measured, tmp_path)
    with pytest.raises(ConfigError, match=r"--wheel: .*No such file"):
        submit("sample-cloak", measured, tmp_path, wheel=tmp_path / "none.whl")
    with pytest.raises(ConfigError, match=r"holds no cell of protection 'hostile'"):
        submit("hostile", measured, tmp_path, **PIN)
    with pytest.raises(ConfigError, match=r"no registered protection or purifier"):
        submit("unheard-of", measured, tmp_path, **PIN)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"source": "0" * 64}, "source"),
        ({"parameters": {"linf": 8 / 255, "side": 8}}, "parameters.side"),
        ({"parameters": {"linf": 8 / 255}}, "parameters.side"),
        ({"target": "sample_cloak:Checkers"}, "target"),
        ({"libraries": {"torch": "9.9"}}, ""),
    ],
)
def test_what_was_changed_after_the_run_is_not_sent_in(made_up, tmp_path, note, changes, named):
    """Name and version stay what they were."""
    run = made_up(tmp_path / "run")
    note(run, "protection sample-cloak", **changes)
    if not named:
        assert submit("sample-cloak", run, tmp_path / "into", **PIN)
        return
    told = rf"no longer the code that was run \({named}\); run it again, or install the release"
    with pytest.raises(ConfigError, match=told):
        submit("sample-cloak", run, tmp_path / "into", **PIN)
    assert not (tmp_path / "into").exists()


def test_claims_without_data_here_are_checked_as_far_as_they_can_be():
    """Nobody here has the artists of the paper's models."""
    offer = offered("sd21")
    assert {task.subjects for task in offer.tasks.values()} == {None}
    assert offer.tasks["style-mimicry"].ranges["clip-top1"].excludes(2.0)
    assert list(offer.places("protection", ["my-cloak"])) == []


def test_the_published_schema_is_the_model():
    assert SCHEMA.read_text() == schema()


def impress_bench(third_parties, folder, *arguments):
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        env={"PYTHONPATH": str(third_parties), "OMP_NUM_THREADS": "2", "PATH": ""},
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_what_lies_beside_the_folders_is_refused(submission, third_parties, tmp_path):
    """Files directly in submissions/ belong to nobody."""
    for path in submission.iterdir():
        (submission.parent / path.name).write_bytes(path.read_bytes())
    refused = impress_bench(third_parties, tmp_path, "validate", "submissions", "--json")
    assert refused.returncode == 1
    complaints = json.loads(refused.stdout)
    assert {one["file"] for one in complaints} == {
        f"submissions/{path.name}" for path in submission.iterdir()
    }
    assert {one["problem"] for one in complaints} == {
        "does not belong here; a submission is a folder submissions/NAME/"
    }


def test_verbs_speak_of_a_submission(submission, third_parties, tmp_path):
    accepted = impress_bench(third_parties, tmp_path, "validate", "submissions")
    told = "submissions/sample-cloak: accepted, but nothing was measured again\n"
    assert accepted.stdout == told
    printed = impress_bench(third_parties, tmp_path, "requirement", submission)
    assert printed.stdout == f"sample-cloak @ git+{PIN['git']}@{PIN['commit']}\n"
    (submission / "submission.toml").write_text("x")
    refused = impress_bench(third_parties, tmp_path, "requirement", submission)
    assert refused.returncode == 2
    assert "is no TOML file" in refused.stderr


@pytest.mark.parametrize("differs", [False, True])
def test_what_a_rerun_finds_is_kept(
    submission, measured, tmp_path, in_process, monkeypatch, differs
):
    found = [Complaint("sample-cloak", "cells.csv", "came out as 2")] * differs
    module = "impress_bench.benchmark.submissions.rerun.rerun"
    monkeypatch.setattr(module, lambda *given: (measured, found))
    kept = tmp_path / "kept"
    code, said, _ = in_process("validate", submission, "--rerun", "--measured", kept)
    assert (code, "refused" in said) == (int(differs), differs)
    assert complaints_of(kept, submission) == [str(one) for one in found]
    assert (measured_part(kept, submission) is None) == differs


@pytest.mark.parametrize("words", [("--measured", "there"), ("--plugins", "there/bin/python")])
def test_what_a_rerun_alone_uses_is_refused_without_one(submission, in_process, words):
    """It was ignored, and "accepted" read as if it had been measured again."""
    code, output, complaint = in_process("validate", submission, *words)
    assert (code, output) == (2, "")
    assert f"{words[0]} is for what is measured again: give --rerun, too" in complaint


def test_what_is_no_folder_of_submissions_is_said_in_a_line(tmp_path, in_process):
    package = scaffold("protection", "my-cloak", tmp_path)[0].parent
    for path, told in (
        (
            package,
            f"{package} is a package, no submission; .*, a folder such as submissions/my-cloak",
        ),
        (tmp_path / "nowhere", "nowhere: no such folder; `impress-bench submit` writes"),
    ):
        code, output, complaint = in_process("validate", path)
        assert (code, output, complaint.count("\n")) == (2, "", 1)
        assert re.search(told, complaint)


def test_reading_takes_no_time_that_a_stranger_chooses(submission):
    """The largest table that is read at all."""
    line = "x" * 250
    (submission / "cells.csv").write_text("\n".join([line] * 30_000))
    started = time.monotonic()
    assert read(submission).complaints
    assert time.monotonic() - started < 10
