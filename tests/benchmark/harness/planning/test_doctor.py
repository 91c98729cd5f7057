"""`doctor` names what is missing when that alone is missing."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from impress_bench.benchmark.atelier import PACK, world
from impress_bench.benchmark.cli import cli
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.planning.doctor import examine
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.sandbox import memory_group
from impress_bench.metrics import missing as missing_module

MAIN = "from impress_bench.benchmark.cli import main; main()"


@pytest.fixture
def complete(artworks, photos, open_clip_folder, tmp_path):
    """A preset that names a folder for everything that may be one, and has it all."""
    shutil.copytree(open_clip_folder, tmp_path / "clip")
    shutil.copytree(PACK, tmp_path / "pack")
    preset = load_preset("quick")
    settings = preset.settings.model_dump()
    judging = {"clip": str(tmp_path / "clip"), "labels": list(world.MOVEMENTS)}
    settings["tasks"]["style-mimicry"] |= {
        "artworks": str(artworks), "judging": judging, "captioner": "nobody/has-this",
    }  # fmt: skip
    settings["tasks"]["malicious-editing"]["photos"] = str(photos)
    models = dict.fromkeys(("protection", "purifier", "target"), str(tmp_path / "pack"))
    return preset.override({}, settings=settings, models=models)


def missing(preset, tmp_path):
    found = examine(preset, tmp_path / "store", Registry())
    return [finding for finding in found if finding.problem and not finding.optional]


def test_nothing_is_missing(complete, tmp_path):
    found = list(examine(complete, tmp_path / "store", Registry()))
    assert not [finding for finding in found if finding.problem and not finding.optional]
    assert {"device cpu", f"model {tmp_path / 'pack'}", "LPIPS alex"} <= {one.what for one in found}


@pytest.mark.parametrize(
    ("group", "expected"),
    [(None, "by polling (no cgroup"), ("/groups/one", "by the kernel (cgroup v2 below /groups)")],
)
def test_it_says_what_holds_a_limit_of_memory(monkeypatch, tmp_path, group, expected):
    """As a limit is set, not as a folder looks."""
    folder = group and Path(group)
    monkeypatch.setattr(memory_group, "limited_group", lambda limit: nullcontext(folder))
    found = list(examine(load_preset("quick"), tmp_path, Registry()))
    told = [one for one in found if one.what.startswith("limit of memory")]
    assert [expected in one.what for one in told] == [True]
    assert not told[0].problem


def drop_weights(folder):
    for path in folder.rglob("*.safetensors"):
        path.unlink()


def drop_titles(artworks):
    movement = {"file_name": "work 0.png", "movement": "cubism"}
    (artworks / "ada-mill" / "metadata.jsonl").write_text(json.dumps(movement))


@pytest.mark.parametrize(
    ("changes", "what", "problem"),
    [
        ({"device": "cuda"}, "device cuda", "torch sees no GPU"),
        ({"needs": {"disk_gb": 1e9}}, "disk for", "are free, 1e+09 are needed"),
        ({"purifiers": ["jpg"]}, "purifier jpg", "Did you mean: jpeg"),
        ({"models": {"target": "org/gone@abc"}}, "model org/gone@abc",
         "get it by: hf download org/gone --revision abc"),
        ({"protections": ["glaze+surrogates[models=atelier-second org/gone@abc]"]},
         "model org/gone@abc", "get it by: hf download org/gone --revision abc"),
        ({"models": {"target": "./nowhere/at/all"}}, "model ./nowhere/at/all", "neither a folder"),
        ({"protections": ["glaze[lpips_net=vgg]"]}, "LPIPS vgg", "tools/convert_lpips.py"),
        ({"settings": {"within": {"style-mimicry": {"purifiers": {"jpeg": {"quality": 101}}}}}},
         "purifier jpeg in style-mimicry", "quality"),
    ],
)  # fmt: skip
def test_what_a_preset_asks_for(complete, tmp_path, monkeypatch, changes, what, problem):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (finding,) = missing(complete.override({}, matrix=[], **changes), tmp_path)
    assert finding.what.startswith(what)
    assert problem in finding.problem


@pytest.mark.parametrize(
    ("harm", "what", "problem"),
    [
        (lambda at: drop_weights(at / "pack"), "model ", "no safetensors weights"),
        (lambda at: drop_weights(at / "clip"), "model ", "no safetensors weights"),
        (lambda at: shutil.rmtree(at / "artworks"), "subjects of style-mimicry", "cannot be read"),
        (lambda at: shutil.rmtree(at / "photos"), "subjects of malicious-e", "cannot be read"),
        (
            lambda at: (at / "photos" / "masks" / "p1.png").unlink(),
            "subjects of malicious-editing",
            "p1.jpg: has no mask",
        ),
        (
            lambda at: drop_titles(at / "artworks"),
            "subjects of style-mimicry",
            "hf download nobody/has-this",
        ),
    ],
)
def test_what_is_not_there(complete, tmp_path, harm, what, problem):
    harm(tmp_path)
    (finding,) = missing(complete, tmp_path)
    assert finding.what.startswith(what)
    assert problem in finding.problem


def test_adapters_without_their_library_are_told(complete, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    settings = complete.settings.model_dump()
    settings["tasks"]["style-mimicry"]["fine_tuning_lora_rank"] = 4
    (finding,) = missing(complete.override({}, settings=settings), tmp_path)
    assert finding.what.startswith("subjects of style-mimicry")
    assert "pip install 'impress-bench[lora]'" in finding.problem


LIBRARIES = {
    "metric fsim": "is skipped: needs piq: pip install 'impress-bench[fsim]'",
    "metric face-identity": "is skipped: needs insightface: pip install 'impress-bench[faces]'",
}


@pytest.mark.parametrize("there", [True, False])
def test_libraries_of_metrics_are_optional_unless_asked_for(complete, tmp_path, monkeypatch, there):
    monkeypatch.setattr(missing_module, "find_spec", lambda name: there or None)

    def found(preset):
        examined = examine(preset, tmp_path / "store", Registry())
        return {one.what: one[1:] for one in examined if one.what.startswith("metric ")}

    problems = {what: "" if there else told for what, told in LIBRARIES.items()}
    assert found(complete) == {what: (told, True) for what, told in problems.items()}
    asked = found(complete.override({}, metrics=["fsim"]))
    assert asked["metric fsim"] == (problems["metric fsim"], False)
    assert asked["metric face-identity"] == (problems["metric face-identity"], True)


def test_what_is_optional_does_not_fail_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(missing_module, "find_spec", lambda name: None)
    done = CliRunner().invoke(cli, ["doctor", "--preset", "quick", "--store", str(tmp_path)])
    assert done.exit_code == 0, done.output
    told = [f"optional {what}: {problem}" for what, problem in sorted(LIBRARIES.items())]
    assert done.output.splitlines()[-2:] == told


def test_a_small_gpu_is_told(complete, tmp_path, monkeypatch):
    class Small:
        total_memory = 8 * 2**30

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda index: Small)
    wanting = complete.override({}, device="cuda", needs={"gpu_memory_gb": 24})
    (finding,) = missing(wanting, tmp_path)
    assert "the GPU has 8 GiB and the preset needs 24" in finding.problem


@pytest.mark.parametrize("preset", ["sd21", "sd15", "flux", "ip2p"])
def test_the_command_tells_of_stable_diffusion(preset, tmp_path, forks):
    done = forks.run(MAIN, ["doctor", "--preset", preset, "--json"], tmp_path)
    assert done.returncode == 1, done.stderr
    found = {one["what"]: one["problem"] for one in json.loads(done.stdout)}
    (subjects,) = (told for what, told in found.items() if what.startswith("subjects"))
    assert "cannot be read as a folder" in subjects
    assert not any(
        told for what, told in found.items() if what.startswith(("prot", "puri", "task"))
    )
