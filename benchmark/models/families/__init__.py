"""Families of latent diffusion models, one package per family.

A package's `check.unsuitable(place)` says, without torch, why a folder or file cannot be used,
`check.NAME` what the family is called, and `loading.load(place, digest, device, dtype)` returns a
`LatentDiffusion`. Names load on first use, so that importing the package imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impress_bench.benchmark.models.families.loading import load_pretrained
    from impress_bench.benchmark.models.families.stable_diffusion.model import StableDiffusion

_STABLE_DIFFUSION = "impress_bench.benchmark.models.families.stable_diffusion.loading"
_SDXL = "impress_bench.benchmark.models.families.sdxl.loading"
_SD3 = "impress_bench.benchmark.models.families.sd3.loading"
_FLUX = "impress_bench.benchmark.models.families.flux.loading"
_INSTRUCT = "impress_bench.benchmark.models.families.instruct_pix2pix.loading"
#: The loader of each pipeline that a folder's model_index.json may name as its class.
FAMILIES = {
    "StableDiffusionPipeline": _STABLE_DIFFUSION,
    "StableDiffusionImg2ImgPipeline": _STABLE_DIFFUSION,
    "StableDiffusionInpaintPipeline": _STABLE_DIFFUSION,
    "StableDiffusionInpaintPipelineLegacy": _STABLE_DIFFUSION,
    "StableDiffusionXLPipeline": _SDXL,
    "StableDiffusionXLImg2ImgPipeline": _SDXL,
    "StableDiffusion3Pipeline": _SD3,
    "StableDiffusion3Img2ImgPipeline": _SD3,
    "FluxPipeline": _FLUX,
    "FluxImg2ImgPipeline": _FLUX,
    "StableDiffusionInstructPix2PixPipeline": _INSTRUCT,
}
#: That of models in single files.
OF_FILES = _STABLE_DIFFUSION

_HOMES = {
    "StableDiffusion": "impress_bench.benchmark.models.families.stable_diffusion.model",
    "load_pretrained": "impress_bench.benchmark.models.families.loading",
}

__all__ = ["FAMILIES", "OF_FILES", "StableDiffusion", "load_pretrained"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
