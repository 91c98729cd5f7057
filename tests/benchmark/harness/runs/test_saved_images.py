"""Protected and purified images of a run as files: which, where, and what is never overwritten."""

from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import pytest
from PIL import Image

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.execution.progress import Reporter
from impress_bench.benchmark.harness.runs import saved_images
from impress_bench.benchmark.harness.runs.run import run
from impress_bench.benchmark.harness.runs.saved_images import safe_name
from impress_bench.benchmark.harness.storage.store import Store, StoreError


class Told(Reporter):
    def __init__(self):
        self.messages = []

    def message(self, message):
        self.messages.append(message)


@pytest.fixture
def save(bench):
    def start(folder="images", out="run", reporter=None, **values):
        return run(
            bench.preset(**values), bench.tmp_path / out, bench.store, reporter, workers=1,
            save_images=bench.tmp_path / folder,
        )  # fmt: skip

    return start


def manifest(folder):
    return json.loads((folder / "manifest.json").read_bytes())


def test_every_cell_s_images_are_there_as_they_are_stored(bench, save):
    told = Told()
    result = save(seeds=[0, 1], protections=["clean", "shift[rounds=1]"], reporter=told)
    folder = bench.tmp_path / "images"
    entries = manifest(folder)["images"]
    store = Store(bench.store)
    conditions = set()
    for entry in entries:
        data = (folder / entry["path"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (entry["sha256"], entry["bytes"])
        images = store.get(entry["key"]).images
        stored = images.images[images.names.index(entry["image"])]
        assert np.array_equal(np.asarray(Image.open(folder / entry["path"])), stored)
        assert entry["seeds"] == [0, 1]
        conditions.add((entry["subject"], entry["protection"], entry["purifier"]))
    assert conditions == {
        (subject, protection, purifier)
        for subject in ("ada", "ben")
        for protection in ("clean", "shift[rounds=1]")
        for purifier in (None, "keep", "smooth")
    }
    assert len({entry["path"] for entry in entries}) == len(entries) == 2 * 2 * 3 * 2
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")} == {
        entry["path"] for entry in entries
    }
    assert len(result.saved) == len(entries) + 1
    size = sum(entry["bytes"] for entry in entries) / 1e6
    assert f"saving 24 images, {size:.1f} MB, in {folder}" in told.messages


def test_the_same_run_goes_on_and_any_other_is_refused_before_it_starts(bench, save):
    save()
    folder = bench.tmp_path / "images"
    (first, *_), before = sorted(folder.rglob("*.png")), manifest(folder)
    first.unlink()
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    save(out="again")
    assert first.is_file()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert manifest(folder) == before

    def refused(message, out, **values):
        with pytest.raises(ConfigError, match=message):
            save(out=out, **values)
        assert bench.log(out) == []

    refused("holds the images of another run, of preset 'fake'", "other", subjects=1)
    first.write_bytes(b"somebody's")
    refused(f"{first.name} is no longer what was saved", "changed")
    (folder / "manifest.json").write_text("[]")
    refused("manifest.json is none of a run", "damaged")
    (folder / "manifest.json").unlink()
    refused("is not empty; name a folder that is new or empty", "full")
    assert first.read_bytes() == b"somebody's"


def test_what_was_not_made_is_listed(bench, save):
    told = Told()
    save(protections=["clean", "raising"], purifiers=["keep"], reporter=told)
    missing = manifest(bench.tmp_path / "images")["missing"]
    assert {(one["protection"], one["purifier"]) for one in missing} == {
        ("raising", None), ("raising", "keep"),
    }  # fmt: skip
    assert any("4 sets of images were not made" in message for message in told.messages)


def test_a_full_disk_stops_before_anything_is_written(bench, save, monkeypatch):
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(saved_images.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(StoreError, match=r"--save-images .*of room\. Results are stored"):
        save()
    assert not list((bench.tmp_path / "images").rglob("*.png"))


@pytest.mark.parametrize(
    "text",
    ["glaze", "Glaze", "glaze[p=0.05]", "jpeg>resize", "../../etc", "a/b", "Ünal", "…", "x" * 300,
     "con", "nul.txt", "protected", "dots..", ".hidden", "a b", "a-b", "exec:rm -rf {in} {out}"],
)  # fmt: skip
def test_names_are_safe_on_any_system(text):
    name = safe_name(text)
    assert re.fullmatch(r"[a-z0-9_-]([a-z0-9._-]*[a-z0-9_])?", name)
    assert len(name) <= 70
    assert name not in ("con", "nul.txt", "protected")


def test_different_names_stay_different():
    names = ["Glaze", "glaze", "GLAZE", "a b", "a-b", "a/b", "x" * 70, "x" * 71, "dots", "dots.."]
    assert len({safe_name(name) for name in names}) == len(names)


def test_the_command_says_what_it_saved(bench, preset_file, command):
    folder = bench.tmp_path / "images"
    arguments = ["run", "--preset", preset_file, "--store", bench.store, "--quiet"]
    process = command(*arguments, "--workers", 1, "--save-images", folder)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert re.search(r"24 images, \d+\.\d MB, in .*images", output)
    assert re.search(r"^Cells: .*\d+ done.*\. Boards: \S+LEADERBOARD\.md$", output, re.M)
    assert output.startswith("Preset fake")
    assert len(output.splitlines()) <= 10
    process = command(*arguments, "--subjects", 1, "--out", "other", "--save-images", folder)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "holds the images of another run" in errors
