"""The command line as a user meets it; runs with pretended plugins are tested with the harness."""

import json
import subprocess
import sys

import pytest

MAIN = "from impress_bench.benchmark.cli import main; main()"


def impress_bench(*arguments, options=()):
    return subprocess.run(
        [sys.executable, *options, "-c", MAIN, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("run", "--help"), ("--version",)])
def test_quick_verbs_import_nothing_heavy(arguments):
    done = impress_bench(*arguments, options=("-X", "importtime"))
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "impress_bench.benchmark.cli" in imported
    assert not imported & {"torch", "diffusers", "pandas", "numpy", "rich"}


def test_list_is_readable_and_complete():
    told = json.loads(impress_bench("list", "--json").stdout)
    assert {("protection", "glaze"), ("purifier", "impress"), ("preset", "quick")} <= {
        (item["kind"], item["name"]) for item in told
    }
    assert set(told[0]) == {
        "kind", "name", "summary", "distribution", "version", "target", "problem"
    }  # fmt: skip
    plain = impress_bench("list").stdout
    assert all(item["name"] in plain for item in told)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("run", "--frob"), "No such option"),
        (("report", "/nowhere/at/all"), "holds no results of a run"),
        (("run", "--preset", "/nowhere/at/all.toml"), "/nowhere/at/all.toml: No such file"),
        (("run", "--preset", "quick", "--artworks", "/nowhere"), "artworks /nowhere: cannot be r"),
        (("run", "--preset", "quick", "--photos", "/nowhere"), "/nowhere: cannot be read as a fo"),
        (
            ("plan", "--tasks", "malicious-editing", "--artworks", "mine"),
            "--artworks: malicious-editing takes no artworks; name a task that does",
        ),
    ],
)
def test_usage_errors_exit_with_2(arguments, complaint):
    done = impress_bench(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
