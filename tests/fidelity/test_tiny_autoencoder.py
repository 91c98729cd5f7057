"""A folder whose VAE is an AutoencoderTiny: one of random weights, and TAESD if it is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny
from torch.nn.functional import interpolate

from impress_bench.attacks import Impress, Jpeg
from impress_bench.benchmark import Context, load_model
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.models.inpainting import inpainting_chain
from impress_bench.benchmark.models.painting import paint
from impress_bench.benchmark.pixels import round_to_8bit
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.metrics import psnr
from impress_bench.protections import Glaze, PhotoGuardEncoder

TAESD = "IMPRESS_BENCH_TAESD"


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def with_vae(folder, target, write):
    """A copy of `folder` whose VAE is what `write` puts there."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("vae"))
    write(target / "vae")
    index = target / "model_index.json"
    index.write_text(index.read_text().replace("AutoencoderKL", "AutoencoderTiny"))
    return load_model(str(target))


def random_vae(folder):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        widths, blocks = (8,) * 4, (1,) * 4
        AutoencoderTiny(
            encoder_block_out_channels=widths, decoder_block_out_channels=widths,
            num_encoder_blocks=blocks, num_decoder_blocks=blocks,
        ).save_pretrained(folder)  # fmt: skip


@pytest.fixture(scope="module")
def tiny(folder_of, tmp_path_factory):
    """Stable Diffusion's inpainting folder with a small autoencoder."""
    target = tmp_path_factory.mktemp("tiny") / "model"
    return with_vae(folder_of("sd-inpainting"), target, random_vae)


def test_an_image_has_one_latent(tiny, smooth_images, tmp_path):
    images = smooth_images(2, 64)
    random_vae(tmp_path / "vae")
    bare = AutoencoderTiny.from_pretrained(tmp_path / "vae")
    with torch.no_grad():
        expected = bare.encode(2 * images - 1).latents
        decoded = bare.decode(expected).sample / 2 + 0.5
        assert torch.equal(tiny.encode(images), expected)
        assert torch.equal(tiny.encode(images, True, seeded()), expected)
        assert torch.equal(tiny.reconstruct(images), decoded)
        assert tiny.posterior(images).std.abs().max() == 0
    assert tiny.latent_scale == 1.0
    assert tiny.image_size == 64


def test_all_that_asks_for_a_posterior_runs(tiny, smooth_images):
    images = smooth_images(2, 64)
    context = Context(seeded(), tiny)
    protected = Glaze(steps=1, transfer_steps=2, linf=8 / 255)(images, context)
    assert protected.linf.min() > 0
    assert Impress(steps=1)(protected.images, context).images.isfinite().all()
    prompts, options = ["a boat", "a hill"], {"steps": 1, "lr": 1e-4, "batch_size": 2}
    learned = fine_tune(tiny, images, prompts, generator=seeded(), **options)
    painted = paint(learned, prompts, seeded(), steps=2, guidance_scale=2.0)
    assert painted.isfinite().all()


def test_the_inpainting_chain_is_the_pipeline_s(tiny, smooth_images):
    images, keep = smooth_images(2, 64), torch.zeros(2, 64, 64, dtype=torch.bool)
    keep[:, 16:40, 24:48] = True
    streams = [per_image_generators(seeded(), 2) for _ in range(2)]
    chained = inpainting_chain(tiny, images, keep, streams[0], steps=2).clamp(0, 1)
    options = {"steps": 2, "guidance_scale": 1.0, "eta": 1.0}
    painted = tiny.repaint(images, keep, ["", ""], streams[1], **options)
    torch.testing.assert_close(chained, painted, atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.skipif(TAESD not in os.environ, reason=f"needs TAESD's folder in {TAESD}")
def test_what_impress_wins_back_on_photographs(folder_of, tmp_path, record_property):
    """The encoder attack on a trained autoencoder and real photographs, and IMPRESS against it."""
    model = with_vae(
        folder_of("sd-1.5"),
        tmp_path / "model",
        lambda folder: shutil.copytree(Path(os.environ[TAESD]), folder),
    )
    images = photographs(128)
    protected = PhotoGuardEncoder(steps=40)(images, Context(seeded(), model)).images
    # The ways that the paper's settings for PhotoGuard and for GLAZE travel, in fewer steps.
    purifiers = {
        "impress": Impress(steps=50, lr=0.1, alpha=0.01, sigma=0.05),
        "impress-far": Impress(steps=100, lr=0.3),
        "jpeg": Jpeg(quality=75),
    }
    clean = model.encode(images)
    shift = (model.encode(protected) - clean).flatten(1).norm(dim=1)
    moved = shift / clean.flatten(1).norm(dim=1)
    report("protected", psnr(protected, images), record_property, shift=moved)
    for name, purifier in purifiers.items():
        purified = purifier(protected, Context(seeded(1), model)).images
        assert purified.isfinite().all()
        left = (model.encode(purified) - clean).flatten(1).norm(dim=1)
        report(name, psnr(purified, images), record_property, undone=1 - left / shift)
    assert moved.min() > 0.1


def photographs(side):
    """An astronaut and a cat, (2, 3, side, side) in [0, 1]."""
    from skimage import data

    squares = []
    for pixels in (data.astronaut(), data.chelsea()):
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        short = min(image.shape[-2:])
        top, left = ((length - short) // 2 for length in image.shape[-2:])
        square = image[..., top : top + short, left : left + short]
        squares.append(interpolate(square, (side, side), mode="bicubic", antialias=True))
    return round_to_8bit(torch.cat(squares).clamp(0, 1))


def report(name, decibels, record_property, **shares):
    """Figures of the astronaut and the cat, shown by `-rP` and in a report of pytest's."""
    for key, values in {"psnr": decibels, **shares}.items():
        figures = [round(float(value), 3) for value in values]
        record_property(f"{name}-{key}", figures)
        print(f"{name} {key}: {figures}")
