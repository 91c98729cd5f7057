"""Which models are known, in which layouts, and what is said of the others before loading."""

from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.introspection import digests_of_named
from impress_bench.benchmark.harness.plugins.models import model_digest
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.models.digest import folder_digest, tree_digest
from impress_bench.benchmark.models.families.known import model_problem
from impress_bench.benchmark.models.style_classifier import ZeroShotStyleClassifier

COMMITS = ("a" * 40, "b" * 40)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """The embedded pack, its weights linked and its settings free to change."""
    folder = tmp_path / "pack"
    for path in PACK.rglob("*"):
        if path.is_file() and path.relative_to(PACK).parts[0] not in ("clip", "second_classifier"):
            copy = folder / path.relative_to(PACK)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".safetensors":
                copy.symlink_to(path)
            else:
                shutil.copy(path, copy)
    return folder


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def drop(folder: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.rename(path.with_suffix(".bin"))


HARM = {
    "SDXL by name alone": (
        lambda p: change(p / "model_index.json", _class_name="StableDiffusionXLPipeline"),
        "has no text_encoder_2/config.json",
    ),
    "Flux Fill": (
        lambda p: change(p / "model_index.json", _class_name="FluxFillPipeline"),
        "is a FluxFillPipeline; known are Stable Diffusion 1 and 2.*Stable Diffusion XL; Stable"
        " Diffusion 3 and 3.5; FLUX.1; InstructPix2Pix: .*InpaintPipeline.*or register a model of",
    ),
    "of no class": (
        lambda p: change(p / "model_index.json", _class_name=["a"]), r"is a \['a'\]; known are"
    ),
    "instruct-pix2pix": (
        lambda p: change(p / "unet/config.json", in_channels=8), "U-Net of 8 input channels"
    ),
    "SD3's VAE": (
        lambda p: change(p / "vae/config.json", latent_channels=16), "VAE of 16 latent channels"
    ),
    "oblong": (
        lambda p: change(p / "unet/config.json", sample_size=[16, 24]), "images are squares here"
    ),
    "of no size": (
        lambda p: [change(p / f"{part}/config.json", sample_size=None) for part in ("unet", "vae")],
        "sample_size null in vae/config.json",
    ),
    "no index": (lambda p: (p / "model_index.json").unlink(), "no model_index.json"),
    "no U-Net": (lambda p: shutil.rmtree(p / "unet"), "no unet/config.json; is it there in full"),
    "pickled VAE": (lambda p: drop(p / "vae"), "no safetensors weights for its vae"),
    "broken index": (lambda p: (p / "model_index.json").write_text("["), "no model_index.json"),
}  # fmt: skip


@pytest.mark.parametrize("name", HARM)
def test_what_cannot_be_used_is_refused_when_named(pack, name):
    """By the plan, by doctor and by whoever loads it."""
    harm, told = HARM[name]
    harm(pack)
    with pytest.raises(ConfigError, match=told):
        model_digest(Registry(), str(pack))
    with pytest.raises(PluginError, match=told):
        load_model(str(pack))


@pytest.mark.parametrize(("unet", "vae"), [([16, 16], 64), (None, 64), (None, [64, 64])])
def test_a_size_may_be_written_in_several_ways(pack, unet, vae):
    change(pack / "unet/config.json", sample_size=unet)
    change(pack / "vae/config.json", sample_size=vae)
    assert model_problem(str(pack)) == ""
    assert load_model(str(pack)).image_size == 64


def test_a_part_that_is_there_as_a_variant_alone_is_loaded_from_that(pack):
    """The U-Net is there in both, the VAE only in half precision, and the text encoder in full."""
    expected = load_model(str(pack)).pipeline
    whole = {part: next((pack / part).glob("*.safetensors")) for part in ("unet", "vae")}
    halves = {
        part: {name: value.half() for name, value in load_file(path).items()}
        for part, path in whole.items()
    }
    for part, path in whole.items():
        save_file(halves[part], path.with_suffix(".fp16.safetensors"), {"format": "pt"})
    whole["vae"].unlink()
    loaded = load_model(str(pack)).pipeline
    for name, value in expected.unet.state_dict().items():
        assert torch.equal(loaded.unet.state_dict()[name], value)
    for name, value in halves["vae"].items():
        assert torch.equal(loaded.vae.state_dict()[name], value.float())


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("./nowhere", "nothing of that name"),
        ("~/nowhere/at/all", "nothing of that name"),
        ("nowhere.safetensors", "nothing of that name"),
        ("stabilty/stable-diffusion-2-1", "hf download stabilty/stable-diffusion-2-1"),
        ("org/name@abc", "hf download org/name --revision abc"),
        ("--/--", "neither a folder nor a hub id"),
    ],
)
def test_a_mistyped_source_is_told(source, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ConfigError, match=told):
        model_digest(Registry(), source)


@pytest.mark.parametrize("name", ["weights.ckpt", "weights.bin"])
def test_what_would_be_unpickled_is_not_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ConfigError, match="other formats are not read"):
        model_digest(Registry(), str(tmp_path / name))


def test_a_name_that_is_a_folder_too_wants_its_path(pack, monkeypatch):
    monkeypatch.chdir(pack.parent)
    for refused in (lambda: load_model("pack"), lambda: model_digest(Registry(), "pack")):
        with pytest.raises(ConfigError, match=r"Unknown model 'pack'.*write \./pack"):
            refused()
    assert model_digest(Registry(), "./pack") == folder_digest(pack)


def test_the_user_s_folder(pack, monkeypatch):
    monkeypatch.setenv("HOME", str(pack.parent))
    assert model_digest(Registry(), "~/pack") == folder_digest(pack)
    assert load_model("~/pack").digest == folder_digest(pack)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub without a network; `hub(commit)` is a fetched state of painter/miniature, and the
    newest."""
    repository = tmp_path / "hub" / "models--painter--miniature"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    def fetched(commit: str) -> Path:
        folder = repository / "snapshots" / commit
        folder.parent.mkdir(parents=True, exist_ok=True)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(commit)
        return folder

    return fetched


def test_nothing_more_is_fetched_of_an_unknown_family(hub, tmp_path, monkeypatch):
    """The index alone, by which its pipeline is known."""
    index = tmp_path / "model_index.json"
    index.write_text('{"_class_name": "FluxFillPipeline"}')
    asked = []
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda *names, **_: asked.append(names) or str(index)
    )
    with pytest.raises(PluginError, match="is a FluxFillPipeline; known are Stable Diffusion 1"):
        load_model("painter/large")
    assert asked == [("painter/large", "model_index.json")]


def test_a_hub_that_cannot_be_reached_is_no_model_without_an_index(hub):
    with pytest.raises(PluginError, match=r"could not be loaded.*LocalEntryNotFoundError"):
        load_model("painter/large")


def test_a_hub_id_is_the_commit_that_it_stands_for(pack, hub):
    digests = []
    for commit in COMMITS:
        shutil.copytree(pack, hub(commit), symlinks=True)
        digests.append(model_digest(Registry(), "painter/miniature"))
        assert commit in digests[-1]
        assert load_model("painter/miniature").digest == digests[-1]
    assert digests[0] != digests[1]
    assert model_digest(Registry(), f"painter/miniature@{COMMITS[0]}") == digests[0]
    (hub(COMMITS[1]) / "unet" / "more.fp16.safetensors").write_bytes(b"")
    assert model_digest(Registry(), "painter/miniature") != digests[1]


def test_a_parameter_that_names_a_hub_id_is_digested_by_its_commit(hub):
    named = {"files": ["clip"], "parameters": {"clip": "painter/miniature"}}
    assert digests_of_named(named) == {}
    for commit in COMMITS:
        hub(commit).mkdir()
        assert digests_of_named(named) == {"clip painter/miniature": commit}


@pytest.mark.parametrize(
    "name",
    ["Thumbs.db", ".DS_Store", "._a.safetensors", "desktop.ini", "__MACOSX/a.json", "~$a.txt"],
)
def test_what_systems_leave_behind_changes_no_digest(tmp_path, name):
    (tmp_path / "a.safetensors").write_bytes(b"weights")
    before = folder_digest(tmp_path), tree_digest(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"junk")
    assert (folder_digest(tmp_path), tree_digest(tmp_path)) == before
    (tmp_path / "b.json").write_bytes(b"{}")
    assert folder_digest(tmp_path) != before[0]
    assert tree_digest(tmp_path) != before[1]


def test_accents_count_alike_on_every_system(tmp_path):
    digests = set()
    for form in (unicodedata.normalize(name, "é") for name in ("NFC", "NFD")):
        (tmp_path / form).mkdir()
        (tmp_path / form / f"{form}.png").write_bytes(b"x")
        digests.add(tree_digest(tmp_path / form))
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.safetensors", "weights.safetensors"])
def test_a_clip_s_safetensors_are_read_whatever_lies_beside_them(open_clip_folder, tmp_path, name):
    """open_clip itself would take the pickled file, by its name."""
    folder = shutil.copytree(open_clip_folder, tmp_path / "clip")
    (folder / "open_clip_model.safetensors").rename(folder / name)
    for beside in ("open_clip_pytorch_model.bin", "pytorch_model.bin", "._a.safetensors"):
        (folder / beside).write_bytes(b"not to be read")
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    scores = [
        ZeroShotStyleClassifier.from_source(str(one), ("a", "b"), ("{}",)).scores(images)
        for one in (open_clip_folder, folder)
    ]
    assert torch.equal(*scores)
