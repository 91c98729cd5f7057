"""Metrics of embeddings beside torchmetrics' figures, or naive ones where it has none."""

from __future__ import annotations

import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cosine_similarity, normalize
from torchmetrics.functional.multimodal import clip_score
from torchmetrics.functional.multimodal.clip_iqa import _clip_iqa_compute
from torchmetrics.image.kid import KernelInceptionDistance

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.embedding_metrics.cmmd import Cmmd
from impress_bench.benchmark.embedding_metrics.fid import Fid, SmallSetWarning
from impress_bench.benchmark.embedding_metrics.kid import Kid
from impress_bench.benchmark.embedding_metrics.precision_recall import Precision, Recall
from impress_bench.benchmark.embedding_metrics.prompted import (
    ClipIqa,
    ClipScore,
    DirectionalSimilarity,
)
from impress_bench.benchmark.embedding_metrics.similarity import CentroidSimilarity, ImageSimilarity
from impress_bench.benchmark.models.open_clip_model import open_clip_model
from impress_bench.benchmark.pixels import to_tensor
from impress_bench.metrics import covered, frechet_distance

TITLES = ("a harbour at dusk", "a portrait of a tailor", "a bowl of plums")


def images(count, seed=0, side=64):
    """Patches of colour: embeddings of noise hardly differ."""
    draw = torch.Generator().manual_seed(seed)
    patches = torch.rand(count, 3, 4, 4, generator=draw)
    return patches.repeat_interleave(side // 4, 2).repeat_interleave(side // 4, 3)


def test_set_metrics_of_the_ateliers_clip():
    metric = Kid()
    painted, own = metric.embed(images(24)), metric.embed(0.7 * images(24, seed=1))
    library = KernelInceptionDistance(feature=torch.nn.Identity(), subsets=1, subset_size=24)
    library.inception.num_features = 128
    library.update(own.double(), real=True)
    library.update(painted.double(), real=False)
    assert metric.compare(painted, own) == pytest.approx(float(library.compute()[0]), rel=1e-4)
    assert metric(images(24), 0.7 * images(24, seed=1)) == metric.compare(painted, own)
    unit = Cmmd().embed(images(24)), Cmmd().embed(0.7 * images(24, seed=1))
    assert torch.allclose(unit[0] * 128**0.5, painted, atol=1e-5)

    def kernel(x, y):
        return math.exp(-float((x.double() - y.double()).square().sum()) / 200)

    within = sum(
        kernel(x, y)
        for part in unit
        for i, x in enumerate(part)
        for j, y in enumerate(part)
        if i != j
    )
    across = sum(kernel(x, y) for x in unit[0] for y in unit[1])
    expected = 1000 * (within / (24 * 23) - 2 * across / 24**2)
    assert Cmmd().compare(*unit) == pytest.approx(expected, rel=1e-6)
    raw = Precision().embed(images(24))
    assert torch.allclose(normalize(raw), unit[0], atol=1e-6)
    assert not torch.allclose(raw, unit[0])
    assert Precision().compare(painted, own) == covered(painted, own, 3)
    assert Recall(k=5).compare(painted, own) == covered(own, painted, 5)
    means = (part.mean(0) for part in unit)
    assert CentroidSimilarity().compare(*unit) == pytest.approx(
        float(cosine_similarity(*means, dim=0)), abs=1e-6
    )


def test_fid_warns_of_sets_smaller_than_the_embedding():
    features = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    with pytest.warns(SmallSetWarning, match="FID of 8 images in 8 dimensions"):
        Fid().compare(features[:8], features)
    assert Fid().compare(features[:20], features) == frechet_distance(features[:20], features)


def test_pairs_and_texts_of_any_open_clip_model(open_clip_folder):
    """CLIP score beside torchmetrics', whose model and processor are made of the same encoder."""
    source = str(open_clip_folder)
    model, made, clean = open_clip_model(source), images(3), images(3, seed=1)
    stub = SimpleNamespace(
        get_image_features=model.embed,
        get_text_features=lambda tokens, mask: model.embed_texts(TITLES),
        to=lambda device: stub,
        config=SimpleNamespace(text_config=SimpleNamespace(max_position_embeddings=77)),
    )

    def process(text=None, images=None, **_):
        if text is None:
            return {"pixel_values": torch.stack(images)}
        return {"input_ids": torch.zeros(3, 1), "attention_mask": torch.ones(3, 1)}

    score = ClipScore(source)(made, None, titles=TITLES)
    library = clip_score(made, list(TITLES), model_name_or_path=lambda: (stub, process))
    assert float(score.mean()) == pytest.approx(float(library), abs=1e-4)
    assert (score > 0).any()
    pairs = ImageSimilarity(source)(made, clean)
    cosines = [cosine_similarity(*map(model.embed, pair))[0] for pair in zip(
        made.split(1), clean.split(1), strict=True
    )]  # fmt: skip
    assert torch.allclose(pairs, torch.stack(cosines), atol=1e-6)
    assert torch.allclose(ImageSimilarity(source)(made, made), torch.ones(3))
    anchors = normalize(model.embed_texts(["Good photo.", "Bad photo."]))
    expected = _clip_iqa_compute(normalize(model.embed(made)), anchors, ["quality"])
    assert torch.allclose(ClipIqa(source)(made, None), expected, atol=1e-5)


def test_directional_similarity(open_clip_folder):
    source, made, clean = str(open_clip_folder), images(3), images(3, seed=1)
    model, prompts = open_clip_model(source), TITLES[::-1]
    found = DirectionalSimilarity(source)(made, clean, prompts, TITLES)
    unit = [normalize(model.embed(one)) for one in (made, clean)]
    said = [normalize(model.embed_texts(texts)) for texts in (prompts, TITLES)]
    for at in range(3):
        seen, told = unit[0][at] - unit[1][at], said[0][at] - said[1][at]
        cosine = seen @ told / (seen.norm() * told.norm()) if told.norm() else 0.0
        assert float(found[at]) == pytest.approx(float(cosine), abs=1e-5)
    assert found[1] == 0  # the middle text is the same
    assert (DirectionalSimilarity(source)(clean, clean, prompts, TITLES) == 0).all()


def test_the_atelier_s_clip_tells_titles_apart():
    """Paintings beside their own titles, and beside those of others."""
    works = world.paintings(world.artists("victim")[4], "heldout", 24)
    painted = to_tensor(np.stack([work.image for work in works]))
    titles = tuple(work.title for work in works)
    own, others = (ClipScore()(painted, None, said) for said in (titles, titles[1:] + titles[:1]))
    assert own.mean() > others.mean() + 20


def test_csd_s_weights_are_an_encoder(open_clip_folder, tmp_path):
    """A folder of CSD's weights, made of a CLIP's as its authors do; the head stands for the
    projection, and there is no text encoder."""
    state = load_file(open_clip_folder / "open_clip_model.safetensors")
    trunk = {
        f"module.backbone.{key.removeprefix('visual.')}": value
        for key, value in state.items()
        if key.startswith("visual.") and key != "visual.proj"
    }
    head = torch.randn(32, 16, generator=torch.Generator().manual_seed(3))
    heads = {"module.last_layer_style": head, "module.last_layer_content": head + 1}
    folder = tmp_path / "csd"
    folder.mkdir()
    save_file(trunk | heads, folder / "model.safetensors")
    config = json.loads((open_clip_folder / "open_clip_config.json").read_text())
    config.pop("preprocess_cfg")
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    clip = shutil.copytree(open_clip_folder, tmp_path / "clip")
    save_file({**state, "visual.proj": head}, clip / "open_clip_model.safetensors")
    (clip / "open_clip_config.json").write_text(json.dumps(config))
    sets = images(4), images(5, seed=1)
    csd, known = (CentroidSimilarity(str(one)) for one in (folder, clip))
    assert csd(*sets) == pytest.approx(known(*sets), abs=1e-6)
    assert csd(*sets) != pytest.approx(CentroidSimilarity(str(open_clip_folder))(*sets), abs=1e-3)
    with pytest.raises(PluginError, match=r"metric CLIP score: encoder .* has no text encoder"):
        ClipScore(str(folder))(sets[0], None, titles=TITLES)


def test_encoders_that_cannot_serve_are_named(tmp_path):
    with pytest.raises(ValueError, match="encoder must be 'atelier', a folder or org/name"):
        Kid("ViT-B-32")
    with pytest.raises(ValueError, match="is neither a folder nor a hub id"):
        Kid("/nowhere/at/all")
    with pytest.raises(PluginError, match=r"metric KID: encoder .* has no safetensors weights"):
        Kid(str(tmp_path)).embed(images(2))
    with pytest.raises(PluginError, match=r"takes images of 64 x 64 pixels, .*not of 32 x 32"):
        Kid().embed(images(2, side=32))
    with pytest.raises(ValueError, match="k must be at most 11"):
        Precision(k=12)
