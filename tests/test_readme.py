"""What README shows is what happens: its shell commands and its Python."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from impress_bench.benchmark.atelier import world

README = (Path(__file__).parents[1] / "README.md").read_text()
SHELL, PYTHON = (
    re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) for language in ("sh", "python")
)
#: Run by CI itself: `make test` runs this very test.
MAKE = ("make leaderboard", "make test")


def commands():
    for block in SHELL:
        for line in block.splitlines():
            yield line.split("#")[0].strip()


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
    return place


@pytest.mark.parametrize("command", [c for c in commands() if c not in MAKE])
def test_shell_command(command, folder):
    words = shlex.split(command)
    assert words[0] == "impress-bench"
    # CI has run quick before: what its store holds is not computed again.
    store = os.environ.get("IMPRESS_BENCH_STORE", str(folder / "store"))
    environment = os.environ | {"IMPRESS_BENCH_STORE": store}
    code = "from impress_bench.benchmark.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words[1:]],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_make_targets_exist():
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    for command in MAKE:
        assert command in list(commands())
        assert f"\n{command.removeprefix('make ')}:" in makefile


def test_python_example(capsys):
    (example,) = PYTHON
    exec(compile(example, "README.md", "exec"), {})
    assert "torch.Size([2, 3, 64, 64])" in capsys.readouterr().out
