"""What README and the pages behind it show is what happens: shell commands, and README's Python.

test_docs.py checks that the commands of all other pages are accepted. CI has run `quick` as it is,
and its store is used here. Without a store, and for works that the store does not have, `quick`
takes a few steps, inspects nothing and asks no diffusion classifier.
"""

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.harness.config import loading

ROOT = Path(__file__).parents[1]
#: Their commands run one after the other in one folder, as a reader would type them.
PAGES = ("README.md", "docs/tutorial.md", "docs/own-images.md")
#: Run by CI itself: `make test` runs this very test.
MAKE = ("make leaderboard", "make test")
STORED = "IMPRESS_BENCH_STORE" in os.environ

MAIN = "from impress_bench.benchmark.cli import main; main()"
#: Puts the preset that the folder has in the place of `quick`.
REPLACED = """
from pathlib import Path
from impress_bench.benchmark.harness.config import loading

shipped = loading.shipped_presets()
known = {**shipped, "whole": shipped["quick"], "quick": Path("few/quick.toml").resolve()}
loading.shipped_presets = lambda: known
"""
FEW_STEPS = """
extends = "whole"
inspections = false

[settings.tasks.style-mimicry]
works = 2
samples = 2
fine_tuning_steps = 2
fine_tuning_batch = 2
sampling_steps = 2

[settings.tasks.style-mimicry.judging]
diffusion_images = 0

[settings.tasks.malicious-editing]
sampling_steps = 4

[settings.protections.glaze]
steps = 4
transfer_steps = 4

[settings.protections.photoguard-encoder]
steps = 4

[settings.protections.photoguard-diffusion]
steps = 2

[settings.adaptations.o-pgd]
steps = 4

[settings.purifiers.impress]
steps = 4
"""


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def commands():
    """Each command once."""
    lines = (line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines())
    return list(dict.fromkeys(line.split("#")[0].strip() for line in lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the commands run, in their order; it has some photos, and works of an artist."""
    place = tmp_path_factory.mktemp("readme")
    for name in ("photos", "portraits/masks", "artists/ada"):
        (place / name).mkdir(parents=True)
    for index, photographer in enumerate(world.artists(movement="photography")[:2]):
        photo = world.paint(photographer, "portrait", "heldout", 0)
        mask = Image.fromarray(photo.head_mask).resize((90, 120))
        mask.save(place / "portraits" / "masks" / f"{index}.png")
        for name in ("photos", "portraits"):
            picture = Image.fromarray(photo.image).resize((90, 120))
            picture.save(place / name / f"{index}.jpg")
    lines = []
    for work in world.paintings(world.artists(movement="cubism")[0], "heldout", 8):
        name = f"{len(lines)}.png"
        Image.fromarray(work.image).save(place / "artists" / "ada" / name)
        lines.append(
            json.dumps({"file_name": name, "title": work.title, "movement": "cubism"}) + "\n"
        )
    (place / "artists" / "ada" / "metadata.jsonl").write_text("".join(lines))
    (place / "few").mkdir()
    (place / "few" / "quick.toml").write_text(FEW_STEPS)
    return place


@pytest.mark.parametrize("command", [c for c in commands() if c not in MAKE])
def test_shell_command(command, folder, forks):
    words = shlex.split(command)
    assert words[0] == "impress-bench"
    environment = {"IMPRESS_BENCH_STORE": str(folder / "store"), **os.environ}
    stored = STORED and "--artworks" not in words
    done = forks.run(MAIN if stored else f"{REPLACED}{MAIN}", words[1:], folder, environment)
    assert done.returncode == 0, done.stderr


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for command in MAKE:
        assert command in commands()
        assert f"\n{command.removeprefix('make ')}:" in makefile


def test_python_example(folder, monkeypatch):
    """After the commands, whose run of `quick` is in the store."""
    monkeypatch.chdir(folder)
    if not STORED:
        monkeypatch.setenv("IMPRESS_BENCH_STORE", str(folder / "store"))
        # Put back at the end.
        monkeypatch.setattr(loading, "shipped_presets", loading.shipped_presets)
        exec(REPLACED, {})
    (example,) = blocks("README.md", "python")
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert len(names["cleaned"].images) == len(names["distances"]) == len(names["images"])
    assert set(names["cells"]["state"]) <= {"done", "skipped"}
