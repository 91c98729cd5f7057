"""The recipes, from an empty pack to a measured one, at widths and steps that take seconds."""

from __future__ import annotations

import json
import math
import zlib
from functools import lru_cache

import numpy as np
import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from torch.nn.functional import normalize

from impress_bench.attacks.learned import trained_on
from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import UNCALIBRATED, world
from impress_bench.benchmark.atelier.flow import EmbeddedFlow
from impress_bench.benchmark.atelier.train import calibration, card, figures, job, pairs
from impress_bench.benchmark.atelier.train.__main__ import main
from impress_bench.benchmark.atelier.train.data import PaintedSet
from impress_bench.benchmark.atelier.train.recipes import (
    clip,
    denoiser,
    encoder,
    flow,
    immuniser,
    inpainter,
    pixel,
    purifier,
    vae,
)
from impress_bench.benchmark.atelier.train.sizes import MODELS, Flow, Sizes
from impress_bench.benchmark.models.families import load_pretrained
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.models.painting import paint

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU")
TINY = {
    "atelier": Sizes(seed=0, vae=(4, 4, 4), unet=(16, 16, 16), vae_groups=2),
    "atelier-flow": Sizes(
        seed=0, vae=(4, 4, 4), vae_groups=2, latent_channels=16,
        flow=Flow(blocks=2, heads=2, head_width=8, texts=(8, 12)),
    ),
}  # fmt: skip


@lru_cache
def few(folder, role, split, count, subjects=world.SUBJECTS, movement=None):
    """At most ten paintings by one artist of two movements, or of the one asked for."""
    artists = [world.artists(role, m)[:1] for m in world.MOVEMENTS if movement in (None, m)]
    artists = [artist for first in artists for artist in first][-2:]
    count = min(count, 10 if len(subjects) > 1 else 4)
    return PaintedSet.of(
        [work for a in artists for work in world.paintings(a, split, count, subjects=subjects)]
    )


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def train(tmp_path, monkeypatch):
    """`train(part, *options)` as the command line runs it, on `few` and at `TINY` sizes."""
    monkeypatch.setattr(job, "painted", lambda folder, *rest: few(None, *rest))
    for model, sizes in TINY.items():
        monkeypatch.setitem(MODELS, model, sizes)
    for module in (vae, encoder, denoiser, flow, clip, inpainter, immuniser, purifier, pixel):
        monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(encoder, "PHOTOGRAPHS", 2)
    monkeypatch.setattr(immuniser, "WIDTHS", (8, 8))
    monkeypatch.setattr(pixel, "WIDTHS", (8, 8))
    for module, name in (
        (calibration, "STEPS"),
        (calibration, "MANY_STEPS"),
        (figures, "ATTACK_STEPS"),
        (immuniser, "ATTACK_STEPS"),
        (pixel, "ATTACK_STEPS"),
        (pairs, "STEPS"),
        (pairs, "HELD_OUT"),
    ):
        monkeypatch.setattr(module, name, 1)
    monkeypatch.setattr(figures, "STEPS", 2)
    monkeypatch.setattr(pairs, "LEVELS", (8, 16))
    monkeypatch.setattr(pairs, "PAIRS", 2)
    monkeypatch.setattr(pairs, "HELD_OUT_PHOTOGRAPHS", 2)
    monkeypatch.setattr(purifier, "WIDTHS", (16, 16, 16))
    monkeypatch.setattr(figures, "TITLES", 4)

    def run(part, *options):
        folders = ("--work", str(tmp_path / "work"), "--pack", str(tmp_path / "pack"))
        main([part, *folders, "--steps", "2", *options])

    return run


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=CUDA)])
def test_recipes_make_a_pack_in_their_order(device, name, train, tmp_path, capsys):
    pack, options = tmp_path / "pack", ("--model", name, "--device", device)
    recipes, network = (card.SAID[name][key] for key in ("recipes", "network"))
    for part in recipes:
        train(part, *options)
    cards = json.loads((pack / "model_card.json").read_text())
    assert set(cards) == set(recipes)
    assert all(entry["steps"] == 2 for entry in cards.values())
    numbers = [n for entry in cards.values() for n in entry.values() if isinstance(n, float)]
    assert len(numbers) > 40
    assert all(map(math.isfinite, numbers))
    assert set(cards["encoder"]["left_zero_7.65_by_movement"]) == {"woodcut", "photography"}
    judges = "this pack" if "clip" in recipes else "atelier"
    assert cards["denoiser"]["judges"] == judges  # measured anew once there were classifiers
    assert cards["denoiser"]["clip_samples_top3"] >= cards["denoiser"]["clip_samples"]
    inpainting = [json.loads(path.read_text()) for path in pack.glob("inpainting/unet/config.json")]
    assert [each["in_channels"] for each in inpainting] == [9] * ("inpainter" in recipes)
    model = load_pretrained(pack, device)
    latents = model.encode(torch.rand(1, 3, 64, 64))
    assert latents.device.type == device
    assert latents.shape == (1, TINY[name].latent_channels, 16, 16)
    assert latents.std() * model.latent_scale > 0.1

    capsys.readouterr()
    train(recipes[-1], *options, "--steps", "3")
    assert f"{recipes[-1]}: resumed at step 2" in capsys.readouterr().out

    if "purifier" in recipes:
        made = {path: path.stat().st_mtime_ns for path in (tmp_path / "work" / "pairs").iterdir()}
        train("purifier", "--device", device, "--without", "glaze", "--without", "pid")
        folder = pack / "plugins" / "learned-without-glaze-without-pid"
        known = {kind.label for kind in pairs.SEEN if kind.name not in ("glaze", "pid")}
        assert set(trained_on(folder)) == known
        assert set(trained_on(folder.with_name("learned"))) == known | {"glaze", "pid"}
        assert all(path.stat().st_mtime_ns == before for path, before in made.items())
        found = json.loads((pack / "model_card.json").read_text())[
            "purifier without glaze without pid"
        ]
        assert set(found["psnr_seen"]) == known
        assert set(found["psnr_unseen"]) == {"glaze", "pid", "sds", "nightshade"}
        assert all(0 <= value <= 1 for value in [*found["auc_unseen"].values(), found["auc_noise"]])
        cards = json.loads((pack / "model_card.json").read_text())
        assert {"purifier", "purifier without glaze without pid"} < set(cards)
        assert (
            "| purifier without glaze without pid | steps | 2 |" in (pack / "README.md").read_text()
        )

    learned = json.loads((pack / "model_card.json").read_text())["denoiser"]["steps"]
    tokenizer = (pack / "tokenizer" / "vocab.json").read_bytes()
    weights = (pack / network / "diffusion_pytorch_model.safetensors").read_bytes()
    train("denoiser", *options, "--onward")
    assert (pack / "tokenizer" / "vocab.json").read_bytes() == tokenizer
    for config in pack.rglob("config.json"):
        assert "_name_or_path" not in json.loads(config.read_text()), config
    assert (pack / network / "diffusion_pytorch_model.safetensors").read_bytes() != weights
    cards = json.loads((pack / "model_card.json").read_text())
    assert cards["denoiser"]["steps"] == learned + 2
    assert cards["denoiser"]["went_on_after_steps"] == learned
    older = {part: cards[part]["older_than"] for part in cards if "older_than" in cards[part]}
    of_denoiser = [part for part in cards if part.split()[0] in ("inpainter", "purifier")]
    assert len(of_denoiser) == (3 if "purifier" in recipes else 0)
    assert older == {part: ["denoiser"] for part in of_denoiser}

    before = (pack / UNCALIBRATED).read_bytes()
    train("vae", *options, "--steps", "3")
    assert not (pack / UNCALIBRATED).exists()
    cards = json.loads((pack / "model_card.json").read_text())
    assert "encoder" not in cards
    assert cards["denoiser"]["older_than"] == ["vae"]
    with pytest.raises(SystemExit):
        train("denoiser", *options)
    assert "denoiser needs encoder" in capsys.readouterr().err
    train("encoder", *options)
    assert "encoder: started afresh" in capsys.readouterr().out
    assert (pack / UNCALIBRATED).read_bytes() != before


def test_a_flow_from_the_recipes_paints_and_learns(train, tmp_path, smooth_images):
    """Through the public path, and as it is registered, with either encoder."""
    pack = tmp_path / "pack"
    for part in ("vae", "encoder", "denoiser"):
        train(part, "--model", "atelier-flow")
    model, images, generator = load_model(str(pack)), smooth_images(2, 64), seeded()
    assert (model.image_size, model.downsampling, model.latent_channels) == (64, 4, 16)
    assert model.latent_shift != 0
    assert model.embed(["a boat"]).tensors["text"].shape == (1, 32, 20)
    made = paint(model, ["a boat", ""], generator, steps=2, guidance_scale=3.0)
    assert made.shape == images.shape
    assert made.std() > 0
    theirs = StableDiffusion3Pipeline.from_pretrained(
        pack, torch_dtype=torch.float32, text_encoder_3=None, tokenizer_3=None
    )
    noise = torch.randn(1, 16, 16, 16, generator=seeded())
    settings = {"num_inference_steps": 2, "height": 64, "width": 64, "output_type": "pt"}
    expected = theirs("a boat", max_sequence_length=0, latents=noise, **settings).images
    found = model.sample(["a boat"], [seeded()], steps=2, guidance_scale=7.0)
    assert torch.allclose(found, expected, atol=1e-5)
    before = {name: value.clone() for name, value in model.denoiser.state_dict().items()}
    for rank in (None, 2):
        learned = fine_tune(
            model, images, ["a boat"] * 2, steps=1, lr=1e-3, batch_size=2, generator=generator,
            lora_rank=rank,
        )  # fmt: skip
        after = learned.denoiser.state_dict()
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed
        assert rank is None or all(".attn." in name for name in changed)

    registered = {kind: EmbeddedFlow(pack, calibrated=kind) for kind in (True, False)}
    assert registered[True].digest() == model.digest != registered[False].digest()
    states = [each().autoencoder.state_dict() for each in registered.values()]
    unlike = {name for name in states[0] if not torch.equal(states[0][name], states[1][name])}
    assert {name.partition(".")[0] for name in unlike} == {"encoder"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("encoder",), "encoder needs vae, which"),
        (("inpainter",), "train first: vae, encoder, denoiser, in this order"),
        (("immuniser",), "immuniser needs vae, encoder, which"),
        (("pixel",), "pixel needs vae, encoder, which"),
        (("figures",), "figures needs vae, denoiser, which"),
        (("clip", "--model", "atelier-second"), "its parts are vae, encoder, denoiser"),
        (("clip", "--model", "atelier-flow"), "its parts are vae, encoder, denoiser"),
        (("vae", "--device", "tpu"), "unknown device 'tpu'; known: cpu, cuda, mps"),
        (("vae", "--device", "cuda:99"), "device 'cuda:99' is not there"),
        (("inpainter", "--onward"), "only the denoiser can go on from its weights, not inpainter"),
        (("denoiser", "--onward"), "has no denoiser to go on from; leave out --onward"),
        (("vae", "--without", "glaze"), "only the purifier learns from protections, not vae"),
        (("purifier", "--without", "sds"), "the purifier is not trained on sds: glaze, photog"),
        (("purifier",), "purifier needs vae, encoder, denoiser, inpainter, which"),
        (("vae", "--steps", "0"), "--steps must be at least 1"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(options, message, tmp_path, capsys):
    folders = ("--work", str(tmp_path / "work"), "--pack", str(tmp_path / "pack"))
    with pytest.raises(SystemExit) as exit_:
        main([*options, *folders])
    assert exit_.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_halves_are_disjoint_and_unbiased():
    """Over all pairs of paintings a random split has no preference, a balanced one would have."""
    paintings = few(None, "pretrain", "heldout", 10)
    first, second = figures.halves(paintings)
    assert len(first) == len(second) == len(paintings) / 2
    assert sorted(first.titles + second.titles) == sorted(paintings.titles)
    assert figures.halves(paintings)[0].titles == first.titles
    assert sorted(first.subjects) != sorted(second.subjects)


def test_a_motif_is_recognised_by_its_subject_alone():
    """Texts and images as unit vectors of subject and movement; the movement outweighs."""
    paintings = few(None, "pretrain", "heldout", 10)
    axes = torch.eye(len(world.SUBJECTS) + len(world.MOVEMENTS))
    subjects = dict(zip(world.SUBJECTS, axes, strict=False))
    movements = dict(zip(world.MOVEMENTS, axes[len(subjects) :], strict=True))

    def embed(texts):
        pairs = [text.rsplit(", ", 1) for text in texts]
        return torch.stack([subjects[s] + 3 * movements[m] for s, m in pairs])

    shown = embed(
        [f"{s}, {m}" for s, m in zip(paintings.subjects, paintings.movements, strict=True)]
    )
    assert figures.motif_recognised(shown, paintings, embed) == 1
    shown[:5] = torch.stack([movements[m] for m in paintings.movements[:5]]) + subjects["portrait"]
    wrong = sum(subject != "portrait" for subject in paintings.subjects[:5])
    share = figures.motif_recognised(shown, paintings, embed)
    assert share == pytest.approx(1 - wrong / len(paintings))


def test_a_title_is_recognised_among_others_of_its_subject(monkeypatch):
    """Texts as random unit vectors of their own; images show their title, three another one."""
    monkeypatch.setattr(figures, "TITLES", 3)
    paintings = few(None, "pretrain", "heldout", 10)
    asked = []

    def embed(texts):
        asked.extend(texts)
        draws = [torch.Generator().manual_seed(zlib.crc32(text.encode())) for text in texts]
        return normalize(torch.stack([torch.randn(64, generator=g) for g in draws]), dim=-1)

    forms = [f"{t}, {m}" for t, m in zip(paintings.titles, paintings.movements, strict=True)]
    shown = embed(forms)
    shown[:3] = embed([forms[5], forms[6], forms[7]])  # of the same subjects, five on
    asked.clear()
    share = figures.title_recognised(shown, paintings, paintings, embed)
    assert share == pytest.approx(1 - 3 / len(paintings))
    subject_of = dict(zip(paintings.titles, paintings.subjects, strict=True))
    for i, subject in enumerate(paintings.subjects):
        candidates = [text.rsplit(", ", 1)[0] for text in asked[3 * i : 3 * i + 3]]
        assert candidates[0] == paintings.titles[i]
        assert len(set(candidates)) == 3
        assert {subject_of[title] for title in candidates} == {subject}
    with pytest.raises(ValueError, match="fewer than 3 titles to choose from"):
        figures.title_recognised(shown, paintings, paintings.select(np.arange(5)), embed)


def test_distance_of_embeddings_is_the_naive_one():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 6, generator=generator).double() for n in (4, 5))
    x, y = (v / v.norm(dim=1, keepdim=True) for v in (x, y))

    def kernel(a, b):
        return float(a @ b + 1) ** 3

    within_x = [kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    within_y = [kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    across = [kernel(a, b) for a in x for b in y]
    expected = sum(within_x) / 12 + sum(within_y) / 20 - 2 * sum(across) / 20
    assert figures.embedding_distance(x, y) == pytest.approx(expected)


def test_the_card_shows_nested_figures_in_one_row_and_what_was_calibrated():
    left = {"mosaic": 0.11, "woodcut": 0.04}
    encoder_figures = {
        "left_zero_7.65": 0.051,
        "left_zero_7.65_before": 0.8,
        "left_zero_7.65_by_movement": left,
    }
    cards = {"encoder": encoder_figures, "denoiser": {"older_than": ["vae", "encoder"]}}
    text = card.render("atelier-second", cards)
    assert "| encoder | left zero 7.65 by movement | mosaic 0.110, woodcut 0.040 |" in text
    assert "| denoiser | older than | vae, encoder |" in text
    assert "leaves 0.800 of this model's uncalibrated latents and 0.051 of the" in text
    assert "PART being vae, encoder, denoiser, in this order" in text
    assert "is calibrated" not in card.render("atelier-second", {})


def test_the_flow_s_card_says_what_it_is_not():
    text = " ".join(card.render("atelier-flow", {}).split())
    for said in (
        "**It is a miniature**",
        "**It is not Stable Diffusion 3**",
        "No published figure was found of how far a bounded perturbation moves the latents",
        "calibrated to the figure of Stable Diffusion 1.5, as `atelier`'s is, and as trained",
    ):
        assert said in text
