"""Time, memory and precision at the full width of Stable Diffusion 1.5, on random weights.

    python tools/measure_full_width.py [--device cuda] [--side 512] [--out FILE.json]

The architecture is that of Stable Diffusion 1.5 and of its inpainting U-Net, so that passes cost
what they cost there; nothing else can be read off images that random weights make. A step's time is
that of a longer run less that of a shorter one, over the steps between. Errors of gradients are
relative to strict float32: |g - g0| / |g0|. docs/performance.md has what was measured.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from impress_bench.benchmark import protect, purify
from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.models.families.stable_diffusion.model import StableDiffusion
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.models.inpainting import inpainting_chain
from impress_bench.benchmark.models.numerics import Numerics

#: Steps of the shorter and the longer run.
STEPS = (2, 6)
#: Ways to compute: the networks' numerics, and whether convolutions round to TF32.
KINDS = {
    "float32": (Numerics(), False),
    "TF32": (Numerics(), True),
    "bfloat16": (Numerics("bfloat16"), True),
    "bfloat16, checkpointing": (Numerics("bfloat16", checkpointing=True), True),
}
#: Specs whose step is measured.
GLAZE = "glaze[steps={},transfer_steps=4,linf=16/255]"
CHAIN = "photoguard-diffusion[steps={},repeats=1,radius=8]"
WITHOUT = CHAIN.replace("]", ",checkpointing=false]")
IMPRESS = "impress[steps={}]"


def model(device: str, side: int, numerics: Numerics) -> StableDiffusion:
    """Stable Diffusion 1.5 and its inpainting U-Net with random weights, equal at every call."""
    with torch.device(device):
        torch.manual_seed(0)
        width = {"cross_attention_dim": 768, "sample_size": side // 8}
        unet, inpainting = (UNet2DConditionModel(**width, in_channels=n) for n in (4, 9))
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=4,
            sample_size=side,
        )
        tokenizer = CLIPTokenizer.from_pretrained(PACK / "tokenizer", model_max_length=77)
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer), hidden_size=768, intermediate_size=3072,
                num_hidden_layers=12, num_attention_heads=12,
                bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            )
        )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae, text, tokenizer, unet,
        DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1,
            clip_sample=False, set_alpha_to_one=False,
        ),
        None, None, requires_safety_checker=False,
    )  # fmt: skip
    for network in (unet, inpainting, vae, text):
        network.requires_grad_(False).eval()
    pipeline.set_progress_bar_config(disable=True)
    return StableDiffusion(pipeline, "random", inpainting_unet=inpainting).with_numerics(numerics)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes, with what a GPU still has to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    begun = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def measured(name: str, work: Callable[[int], object], count: int) -> dict[str, Any]:
    """Seconds of one step per image and the peak of GPU memory, of `work(steps)` on `count` images.
    A pass of the shorter run comes first and is not counted."""
    work(STEPS[0])
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    short, long = (seconds(lambda n=n: work(n)) for n in STEPS)
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None
    step = (long - short) / (STEPS[1] - STEPS[0]) / count
    return {"work": name, "images": count, "step_s": round(step, 4), "peak_gib": peak}


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Whether float32 convolutions on a GPU may round their inputs to 10 bits, torch's default."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def gradients(sd: StableDiffusion, photos: Tensor) -> dict[str, Tensor]:
    """Gradients in the photos of what attacks descend: through the encoder, the denoiser's loss,
    the reconstruction and the inpainting chain."""

    def rng() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(7 + i) for i in range(len(photos))]

    def denoising(x: Tensor) -> Tensor:
        scaled = sd.scale(sd.encode(x))
        eps = torch.randn(scaled.shape, generator=rng()[0]).to(scaled)
        levels = sd.even_levels(3)[1:2].expand(len(x))
        predicted = sd.predict(sd.noise(scaled, levels, eps), levels, prompt)
        return (predicted - sd.wanted(scaled, levels, eps)).square().sum()

    def chain(x: Tensor) -> Tensor:
        return inpainting_chain(sd, x, keep, rng(), steps=4).square().sum()

    prompt = sd.embed([""]).expand(len(photos))
    keep = torch.ones(photos.shape[0], *photos.shape[2:], dtype=torch.bool, device=photos.device)
    keep[:, : photos.shape[2] // 2] = False
    losses = {
        "encoder": lambda x: sd.encode(x).square().sum(),
        "reconstruction": lambda x: (sd.decode(sd.encode(x)) - x).square().sum(),
        "denoiser's loss": denoising,
        "inpainting chain": chain,
    }
    made = {}
    for name, loss in losses.items():
        x = photos.clone().requires_grad_(True)
        made[name] = torch.autograd.grad(loss(x), x)[0].double().cpu()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument(
        "--only", choices=list(KINDS), nargs="+", default=list(KINDS), help="ways to compute"
    )
    parser.add_argument("--compiled", action="store_true", help="also with torch.compile: minutes")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.manual_seed(1)
    photos = torch.rand(4, 3, given.side, given.side)
    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    report = Report({"device": name, "torch": torch.__version__}, given.out)
    exact: dict[str, Tensor] = {}
    for kind in given.only:
        numerics, rounded = KINDS[kind]
        sd = model(given.device, given.side, numerics)
        with tf32(rounded):
            found = gradients(sd, photos[:1].to(given.device))
            exact = exact or found
            for of, got in found.items():
                error = float((got - exact[of]).norm() / exact[of].norm())
                report.add("errors", {"in": kind, "gradient of": of, "error": error})
            for row in timed(sd, photos):
                report.add("rows", {"in": kind, **row})
        del sd
        gc.collect()
        torch.cuda.empty_cache()
    if given.compiled:
        sd = model(given.device, given.side, Numerics("bfloat16", compiled=True))
        for work in (
            lambda: sampling(sd),
            lambda: fine_tuning(sd, photos),
            lambda: impress(sd, photos),
        ):
            took = time.perf_counter()
            row = work()
            took = time.perf_counter() - took
            report.add("rows", {"in": "bfloat16, compiled", **row, "with compiling_s": took})


class Report:
    """What was measured, printed and written as it comes."""

    def __init__(self, about: dict[str, str], out: Path | None) -> None:
        self._found: dict[str, Any] = {**about, "rows": [], "errors": []}
        self._out = out

    def add(self, table: str, row: dict[str, Any]) -> None:
        print(row, flush=True)
        self._found[table].append(row)
        if self._out:
            self._out.write_text(json.dumps(self._found, indent=1) + "\n")


def timed(sd: StableDiffusion, photos: Tensor) -> Iterator[dict[str, Any]]:
    """The rows of one way to compute."""
    masks = torch.zeros(len(photos), *photos.shape[2:], dtype=torch.bool)
    masks[:, : photos.shape[2] // 2] = True

    def attack(spec: str, count: int) -> Callable[[int], object]:
        return lambda n: protect(
            photos[:count], spec.format(n), model=sd, seed=0, masks=masks[:count]
        )

    yield measured("GLAZE", attack(GLAZE, 4), 4)
    yield measured("PhotoGuard (diffusion), checkpointing", attack(CHAIN, 1), 1)
    yield measured("PhotoGuard (diffusion)", attack(WITHOUT, 1), 1)
    yield impress(sd, photos[:1])
    yield impress(sd, photos)
    yield fine_tuning(sd, photos)
    yield sampling(sd)


def fine_tuning(sd: StableDiffusion, photos: Tensor) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    titles = ["a painting"] * len(photos)
    return measured(
        "fine-tuning of the U-Net, batch of 4",
        lambda n: fine_tune(
            sd, photos, titles, steps=n, lr=1e-6, batch_size=4, generator=generator
        ),
        len(photos),
    )


def impress(sd: StableDiffusion, photos: Tensor) -> dict[str, Any]:
    return measured(
        "IMPRESS", lambda n: purify(photos, IMPRESS.format(n), model=sd, seed=0), len(photos)
    )


def sampling(sd: StableDiffusion) -> dict[str, Any]:
    draws = [torch.Generator().manual_seed(i) for i in range(4)]
    return measured(
        "painting with guidance",
        lambda n: sd.sample(["a painting"] * 4, draws, steps=n, guidance_scale=7.5),
        4,
    )


if __name__ == "__main__":
    main()
