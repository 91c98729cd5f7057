"""The core names no plugin: the built-in ones under other names give the same boards but for the
names."""

from __future__ import annotations

import json
import re

import pytest

from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.runs.run import run

NAMES = {
    "identity": "untouched",
    "random-noise": "static",
    "glaze": "varnish",
    "photoguard-encoder": "shutter",
    "consistency": "harmony",
    "o-pgd": "crosswise",
    "none": "nothing",
    "impress": "press",
    "style-mimicry": "forgery",
    "malicious-editing": "retouching",
}
PRESET = """
title = "A few steps of everything"
tasks = ["style-mimicry", "malicious-editing"]
protections = ["identity", "random-noise", "glaze", "photoguard-encoder",
    "glaze+consistency[weight=10]", "glaze+consistency[weight=40]", "glaze+o-pgd"]
purifiers = ["none", "impress"]
subjects = 1
threads = 1
inspections = false
isolate = false  # whose package a plugin is from is not what is tested

[display]
reference_protection = "glaze"

[display.roles]
clean = "identity"
no_purifier = "none"
noise = ["random-noise"]
purifier = "impress"
mimicry = "style-mimicry"
editing = "malicious-editing"
term = "consistency"
orthogonal = "o-pgd"

[settings.tasks.style-mimicry]
works = 2
samples = 2
fine_tuning_steps = 2
fine_tuning_batch = 2
sampling_steps = 2

[settings.tasks.malicious-editing]
sampling_steps = 2

[settings.protections.random-noise]
match = "glaze"

[settings.protections.glaze]
steps = 3
transfer_steps = 2
linf = "16/255"

[settings.protections.photoguard-encoder]
steps = 2

[settings.adaptations.o-pgd]
steps = 2

[settings.purifiers.impress]
steps = 2
"""


def renamed(text: str) -> str:
    """`text` with every registered name as a whole word replaced; `o-pgd-g` is none."""
    words = "|".join(sorted(map(re.escape, NAMES), key=len, reverse=True))
    return re.sub(rf"(?<!\w)({words})(?![\w-])", lambda found: NAMES[found[1]], text)


@pytest.fixture
def other_names(tmp_path, monkeypatch, distribution):
    """A distribution that registers the built-in plugins a second time."""
    from importlib.metadata import entry_points

    groups = ("protections", "purifiers", "adaptations", "tasks")
    text = ""
    for group in groups:
        text += f"[impress_bench.{group}]\n"
        for entry in entry_points(group=f"impress_bench.{group}"):
            if entry.name in NAMES:
                text += f"{NAMES[entry.name]} = {entry.value}\n"
    folder = tmp_path / "site"
    folder.mkdir()
    distribution(folder, "other-names", text)
    monkeypatch.syspath_prepend(str(folder))


def boards(tmp_path, name, text):
    """Every record of every board of a run, as JSON, by file name."""
    path = tmp_path / f"{name}.toml"
    path.write_text(text)
    result = run(load_preset(path), tmp_path / name, tmp_path / "store", workers=1)
    assert result.exit_code == 0, result.failures
    return {
        file.name: json.loads(file.read_text())
        for file in (result.out / "boards").glob("*.json")
        # The paper's rows are known by the names that its methods have here.
        if file.stem != "against-the-paper"
    }


def test_built_in_plugins_under_other_names_give_the_same_boards(tmp_path, other_names):
    ours = boards(tmp_path, "ours", PRESET)
    theirs = boards(tmp_path, "theirs", renamed(PRESET))
    assert {"table-1.json", "table-2.json", "table-3.json", "table-6.json"} <= set(ours)
    assert {renamed(name) for name in ours} == set(theirs)
    for name, records in ours.items():
        # A plugin's own messages name it as its class does, so both sides are renamed.
        assert in_order(records) == in_order(theirs[renamed(name)])


def in_order(records):
    return sorted(renamed(json.dumps(record, sort_keys=True)) for record in records)
