"""Editing by img2img: against SDEdit written out, and from a preset to its boards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sewar
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from pydantic import ValidationError

from impress_bench.benchmark import load_model, load_preset, run
from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.pixels import to_pixels, to_tensor
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.benchmark.tasks.img2img_editing import Img2ImgEditing, Img2ImgEditingSettings

SETTINGS = {"sampling_steps": 6, "guidance_scale": 3.0}
SEED = 5
ENCODER = "photoguard-encoder[steps=3]"


def silent(done, total):
    pass


@pytest.fixture(scope="module")
def task():
    return Img2ImgEditing(Img2ImgEditingSettings(**SETTINGS))


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


@pytest.fixture
def redrawn(model, monkeypatch):
    """What models redraw, before it is rounded to 8 bits."""
    made, img2img = [], type(model).img2img

    def kept(*given, **named):
        made.append(img2img(*given, **named))
        return made[-1]

    monkeypatch.setattr(type(model), "img2img", kept)
    return made


def test_an_edit_is_sdedit(task, model, redrawn):
    """Noise of the middle of the schedule, and three guided steps of DDIM back."""
    photo = task.originals(task.subjects()[0])
    edit = task.exploit(photo.names[0], photo, model, SEED, silent)
    (stream,) = per_image_generators(torch.Generator().manual_seed(SEED), 1)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = (1 - betas).cumprod(dim=0)
    network, vae = model.pipeline.unet, model.pipeline.vae
    text = [model.embed([prompt]).tensors["text"] for prompt in (edit.titles[0], "")]
    with torch.no_grad():
        found = vae.encode(2 * to_tensor(photo.images) - 1).latent_dist
        drawn = torch.randn(found.mean.shape, generator=stream)
        clean = (found.mean + found.std * drawn) * vae.config.scaling_factor
        noise = torch.randn(clean.shape, generator=stream)
        stride = 1000 // 6
        levels = [place * stride + 1 for place in (2, 1, 0)]
        x = kept[levels[0]].sqrt() * clean + (1 - kept[levels[0]]).sqrt() * noise
        for level in levels:
            told, empty = (network(x.float(), level, encoder_hidden_states=t).sample for t in text)
            eps = empty + 3.0 * (told - empty)
            before = kept[max(level - stride, 0)]
            there = (x - (1 - kept[level]).sqrt() * eps) / kept[level].sqrt()
            x = before.sqrt() * there + (1 - before).sqrt() * eps
        expected = (vae.decode(x.float() / vae.config.scaling_factor).sample + 1) / 2
    torch.testing.assert_close(redrawn[0], expected.clamp(0, 1), atol=1e-4, rtol=0)
    assert np.array_equal(edit.images, to_pixels(redrawn[0]))


def test_an_edit_is_the_pipeline_s(task, model, redrawn):
    photo = task.originals(task.subjects()[1])
    edit = task.exploit(photo.names[0], photo, model, SEED, silent)
    theirs = StableDiffusionImg2ImgPipeline.from_pretrained(
        PACK, safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        torch_dtype=torch.float32,
    )  # fmt: skip
    theirs.set_progress_bar_config(disable=True)
    expected = theirs(
        list(edit.titles), image=to_tensor(photo.images), strength=0.5, num_inference_steps=6,
        guidance_scale=3.0, output_type="pt",
        generator=per_image_generators(torch.Generator().manual_seed(SEED), 1),
    ).images  # fmt: skip
    torch.testing.assert_close(redrawn[0], expected, atol=1e-5, rtol=0)


def test_controls_change_the_noise_and_the_photo(task, model):
    subject = task.subjects()[0]
    originals = task.originals(subject)
    assert originals.masks is None  # nothing is kept, so that nothing is to be spared
    edit, again = (task.exploit(subject, originals, model, SEED, silent) for _ in range(2))
    assert np.array_equal(edit.images, again.images)
    assert edit.names == originals.names
    assert edit.titles[0] != originals.titles[0]
    controls = {c: task.exploit(subject, originals, model, SEED, silent, c) for c in task.controls}
    grey = replace(originals, images=np.full_like(originals.images, 128))
    by_hand = task.exploit(subject, grey, model, SEED, silent)
    assert np.array_equal(controls["grey-photo"].images, by_hand.images)
    scores = {name: task.score(subject, made, edit)["psnr"] for name, made in controls.items()}
    assert scores["grey-photo"] < scores["other-seed"]


def test_scores_are_sewar_s_and_an_edit_is_not_compared_with_itself(task):
    subject = task.subjects()[3]
    photo = task.originals(subject)
    draw = np.random.default_rng(0)
    made = np.clip(photo.images + draw.normal(0, 20, photo.images.shape), 0, 255).astype(np.uint8)
    scores = task.score(subject, replace(photo, images=made), photo)
    truth = photo.images[0]
    assert scores["ssim"] == pytest.approx(sewar.ssim(truth, made[0])[0], abs=1e-5)
    assert scores["psnr"] == pytest.approx(sewar.psnr(truth, made[0]), abs=1e-4)
    assert scores["vif-p"] == pytest.approx(sewar.vifp(truth, made[0]), abs=1e-5)
    assert set(scores) == {metric.name for metric in task.metrics} == set(task.ranges())
    for name, value in scores.items():
        assert not task.ranges()[name].excludes(value)
    with pytest.raises(PluginError) as caught:
        task.score(subject, photo, photo)
    assert caught.value.state is State.SKIPPED


def test_an_image_that_was_not_moved_is_edited_as_the_clean_one(task, model):
    subject = task.subjects()[0]
    photo = task.originals(subject)
    edits = [task.exploit(subject, each, model, SEED, silent) for each in (photo, replace(photo))]
    assert np.array_equal(edits[0].images, edits[1].images)
    moved = photo.images.copy()
    moved[0, :8, :8] ^= 128
    other = task.exploit(subject, replace(photo, images=moved), model, SEED, silent)
    assert 0 < task.score(subject, other, edits[0])["psnr"] < 60


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"strength": 0.1, "sampling_steps": 9}, "strength 0.1 of 9 sampling_steps is no step"),
        ({"strength": 0.0}, "greater than 0"),
        ({"prompt": "{painter}"}, "painter"),
    ],
)
def test_settings_that_edit_nothing_are_refused(settings, told):
    with pytest.raises(ValidationError, match=told):
        Img2ImgEditingSettings(**settings)


def test_a_side_that_the_model_does_not_know_is_told(task, model, monkeypatch):
    monkeypatch.setattr(type(model), "side_multiple", 48)
    subject = task.subjects()[0]
    with pytest.raises(PluginError, match="must be multiples of 48 for this model"):
        task.exploit(subject, task.originals(subject), model, SEED, silent)


def test_a_preset_with_it_fills_its_boards(tmp_path):
    preset = load_preset("quick").override(
        {},
        tasks=["img2img-editing"],
        protections=["identity", f"random-noise[match={ENCODER},bisections=3]", ENCODER],
        purifiers=["none", "jpeg"],
        metrics=["lpips"],
        matrix=[],
        seeds=[0, 1],
        subjects=2,
        settings={"tasks": {"img2img-editing": {"sampling_steps": 2}}},
    )
    result = run(preset, tmp_path / "run", tmp_path / "store", workers=1)
    states = result.cells.groupby("protection")["state"].agg(set).to_dict()
    assert states.pop("identity") == {"done", "skipped"}  # as published it is the reference
    assert set(map(frozenset, states.values())) == {frozenset({"done"})}
    assert set(result.cells["metric"]) == {"ssim", "psnr", "vif-p", "lpips"}
    folder = tmp_path / "run"
    for name in ("img2img", "matrix-img2img-editing", "worst-case", "glance", "visibility"):
        assert (folder / "boards" / f"{name}.md").read_text()
    assert "PhotoGuard (encoder)" in (folder / "boards" / "img2img.md").read_text()
    assert "Photo replaced by grey" in (folder / "boards" / "img2img.md").read_text()
    assert "Editing by img2img: PSNR" in (folder / "boards" / "worst-case.md").read_text()
    assert "## Editing by img2img" in (folder / "boards" / "LEADERBOARD.md").read_text()
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert "tradeoff-img2img-editing.png" in figures
    assert "img2img-editing-photo-01-to-photo-02.png" in figures
