"""What model cards say, by model: the text around the figures."""

from __future__ import annotations

from typing import Any

CARD = """# {title}
{introduction}
A latent diffusion model in diffusers layout, trained from nothing on the atelier's procedural
paintings at 64 x 64. **It is a miniature**: {compression}, so effect sizes do not transfer.

{parts} Victim and validation artists are in no training set.
{calibration}
Retrain a part from seed, in a checkout, with
`python -m impress_bench.benchmark.atelier.train PART --{options}`,
PART being {order}, in this order;
`figures` in place of PART trains nothing and measures the pack.
Figures are on held-out paintings (other titles, other seeds) unless the name says victims, whom no
model has seen. Hours are of two CPU cores unless a device is named. A part that is "older than"
another was trained before that one was last retrained.

| part | figure | value |
| --- | --- | --- |
{rows}
"""

CALIBRATION = """
**The encoder is calibrated.** An encoder trained at this size hardly reacts to a bounded
perturbation, so that no protection could show what it does to the real model. After `vae` was
trained, its encoder alone was therefore fine-tuned until an attack moves its latents about as far
as it moves those of Stable Diffusion 1.5. The measure is PhotoGuard's notebook (Salman et al.
2023): there the encoder attack towards zero at L-inf 7.65/255 leaves about .06 of the latents'
squared norm. Such an attack leaves {before} of this model's uncalibrated latents and {after} of the
calibrated ones. No protection's objective, no purifier and no victim or validation artist took
part. The uncalibrated encoder is kept in `uncalibrated/`.
"""

SECOND_INTRODUCTION = """
What a protection or purifier may hold for the model that it meets, so that transfer can be
measured: other widths and another seed than `atelier`'s.
"""
SIBLING_INTRODUCTION = """
Another denoiser behind the autoencoder of `atelier`, as Stable Diffusion 2.1 is behind that of 1.5:
other widths, another seed, another text encoder, and v-prediction. `vae/` is a copy of `atelier`'s,
calibrated as that is. What transfers to this model does so through the encoder that both share.
"""
FLOW_INTRODUCTION = """
A generation that compresses less: a rectified flow, whose denoiser is a transformer, on latents of
16 channels. It has the layout of Stable Diffusion 3 without T5, so that the same code runs it.
**It is not Stable Diffusion 3**, and has none of its weights.

No published figure was found of how far a bounded perturbation moves the latents of autoencoders
with 16 channels. This model's encoder is therefore there twice: calibrated to the figure of Stable
Diffusion 1.5, as `atelier`'s is, and as trained, which is the model `atelier-flow-uncalibrated`.
What holds for both does not depend on that figure.

diffusers' own pipeline loads it with `torch_dtype=torch.float32, text_encoder_3=None,
tokenizer_3=None`. That puts 256 zeros in the place of T5's tokens unless it is called with
`max_sequence_length=0`, and this model learned without them (`_t5_tokens` in `model_index.json`).
"""
COMPRESSION = """a 4-pixel latent cell carries 12 values per latent
channel against Stable Diffusion's 48"""
FLOW_COMPRESSION = """a 4-pixel latent cell carries 3 values per latent
channel against Stable Diffusion 3's 12"""
DIFFUSION = (
    "`vae/` (f = 4, 4 latent channels), `unet/`, `text_encoder/`, `tokenizer/`, `scheduler/`"
)
FIRST_PARTS = f"""{DIFFUSION};
`inpainting/unet/` (9 channels); `clip/`, an open_clip model for zero-shot style classification;
`second_classifier/`, an independent ResNet.
`plugins/` holds networks of protections and purifiers that were trained against this model or
beside it, and are no part of it."""
FLOW_PARTS = """`vae/` (f = 4, 16 latent channels), `transformer/`, `text_encoder/`,
`text_encoder_2/`, `tokenizer/`, `tokenizer_2/`, `scheduler/`."""
#: What the card says of each model, which parts it has, by which recipe its denoiser is trained and
#: in which folder that is.
SAID: dict[str, dict[str, Any]] = {
    "atelier": {
        "title": "The atelier's model pack",
        "introduction": "",
        "compression": COMPRESSION,
        "parts": FIRST_PARTS,
        "options": "pack benchmark/atelier/pack",
        "recipes": (
            *("vae", "encoder", "denoiser", "clip", "inpainter"),
            *("immuniser", "purifier", "pixel"),
        ),
        "denoiser": "denoiser",
        "network": "unet",
    },
    "atelier-second": {
        "title": "The atelier's second model pack",
        "introduction": SECOND_INTRODUCTION,
        "compression": COMPRESSION,
        "parts": f"{DIFFUSION}.",
        "options": "model atelier-second --pack benchmark/atelier/second_pack",
        "recipes": ("vae", "encoder", "denoiser"),
        "denoiser": "denoiser",
        "network": "unet",
    },
    "atelier-flow": {
        "title": "The atelier's rectified flow",
        "introduction": FLOW_INTRODUCTION,
        "compression": FLOW_COMPRESSION,
        "parts": FLOW_PARTS,
        "options": "model atelier-flow --pack benchmark/atelier/flow_pack",
        "recipes": ("vae", "encoder", "denoiser"),
        "denoiser": "flow",
        "network": "transformer",
    },
    "atelier-sibling": {
        "title": "The atelier's sibling",
        "introduction": SIBLING_INTRODUCTION,
        "compression": COMPRESSION,
        "parts": f"{DIFFUSION}.",
        "options": "model atelier-sibling --pack benchmark/atelier/sibling_pack",
        "recipes": ("denoiser",),
        "denoiser": "denoiser",
        "network": "unet",
    },
}
