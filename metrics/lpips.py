"""Learned perceptual distance LPIPS (Zhang et al. 2018, version 0.1), differentiable.

The network is the `lpips` package's own module; its weights come from a safetensors file beside
this module, so that nothing is downloaded or unpickled. AlexNet is embedded in float16: LPIPS moves
by at most 2e-4 from float32 weights. VGG16, which IMPRESS's released code uses, is not embedded.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from lpips import LPIPS
    from torch import Tensor


def lpips(preds: Tensor, target: Tensor, net: str = "alex", resize: int | None = None) -> Tensor:
    """LPIPS distance of each image, in the dtype and on the device of `preds`.

    Images (B, 3, H, W) in [0, 1]; values outside are taken as they are, so gradients survive.
    `net` is "alex" or "vgg". `resize` enlarges images whose short side is below it to that side,
    bilinearly; None leaves them. Returns (B,), 0 for equal images and seldom above 1.2; lower is
    closer.

    Raises ValueError for an unknown net and FileNotFoundError where its weights are missing.
    """
    from torch.nn.functional import interpolate

    if resize is not None and (short := min(preds.shape[-2:])) < resize:
        height, width = preds.shape[-2:]
        size = (round(height * resize / short), round(width * resize / short))
        preds = interpolate(preds, size, mode="bilinear", align_corners=False)
        target = interpolate(target, size, mode="bilinear", align_corners=False)
    network = _network(net, preds.dtype, preds.device)
    distance: Tensor = network(preds, target.to(preds), normalize=True)
    return distance.flatten()


def lpips_budget(preds: Tensor, target: Tensor, net: str = "alex", resize: int = 224) -> Tensor:
    """LPIPS as budgets and hinges state it: images with a short side below 224 are enlarged to 224.

    At 64 px AlexNet's deep maps are 3 x 3, so that sparse strong noise costs next to nothing and an
    LPIPS budget alone lets an image be shredded. 224 is the side AlexNet was trained at. Otherwise
    as `lpips`.
    """
    return lpips(preds, target, net, resize)


@lru_cache(maxsize=4)
def _network(net: str, dtype: torch.dtype, device: torch.device) -> LPIPS:
    """The frozen LPIPS module for one net, dtype and device."""
    import torch
    from lpips import LPIPS
    from safetensors.torch import load_file

    if net not in ("alex", "vgg"):
        raise ValueError(f"unknown LPIPS net {net!r}; known: alex, vgg")
    path = Path(__file__).parent / "weights" / f"lpips_{net}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(
            f"LPIPS with net={net!r} needs {path}, which is not part of the package. Write it by "
            f"`python tools/convert_lpips.py --net {net} --trunk TRUNK --heads HEADS "
            f"--out {path}`; torchvision downloads the trunk, vgg16-397923af.pth, where "
            "download.pytorch.org can be reached, and the heads are "
            f"weights/v0.1/{net}.pth of the lpips package. Or use net='alex'."
        )
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")  # lpips calls torchvision by deprecated parameter names
        network = LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    weights = load_file(path)
    weights |= {f"lins.{key[3:]}": value for key, value in weights.items() if key[:3] == "lin"}
    with torch.inference_mode(False):
        network.load_state_dict(weights, assign=True)
        return network.to(device, dtype).requires_grad_(False)
