"""Learned perceptual distance LPIPS (Zhang et al. 2018, version 0.1), differentiable.

The network is the `lpips` package's own module; its weights come from a safetensors file beside
this module, so that nothing is downloaded or unpickled. AlexNet is embedded in float16: LPIPS moves
by at most 2e-4 from float32 weights. VGG16, which IMPRESS's released code uses, is not embedded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
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
    return lpips_to(target.to(preds), net, resize)(preds)


def lpips_budget(preds: Tensor, target: Tensor, net: str = "alex", resize: int = 224) -> Tensor:
    """LPIPS as budgets and hinges state it: images with a short side below 224 are enlarged to 224.

    At 64 px AlexNet's deep maps are 3 x 3, so that sparse strong noise costs next to nothing and an
    LPIPS budget alone lets an image be shredded. 224 is the side AlexNet was trained at. Otherwise
    as `lpips`.
    """
    return lpips(preds, target, net, resize)


def lpips_to(
    target: Tensor, net: str = "alex", resize: int | None = None
) -> Callable[[Tensor], Tensor]:
    """`lpips` to one target, whose features are computed here and not at every call: what a loop
    that comes back to the same images needs. The function takes `preds` in the dtype and on the
    device of `target`."""
    network = _network(net, target.dtype, target.device)
    reference = _features(network, target, resize)

    def distance(preds: Tensor) -> Tensor:
        layers = zip(network.lins, _features(network, preds, resize), reference, strict=True)
        distances = [lin((ours - its) ** 2).mean((1, 2, 3)) for lin, ours, its in layers]
        total: Tensor = sum(distances[1:], distances[0])
        return total

    return distance


def lpips_hinge(
    target: Tensor, limit: float, net: str = "alex", resize: int | None = None
) -> Callable[[Tensor], Tensor]:
    """max(`lpips` to `target` - `limit`, 0) of each image, (B,), as a function of `preds`.

    While no image exceeds the limit the answer is a constant, so that no pass goes back through the
    network for a gradient of zero.
    """
    distance = lpips_to(target, net, resize)

    def hinge(preds: Tensor) -> Tensor:
        excess = distance(preds) - limit
        return excess.clamp(min=0) if bool((excess > 0).any()) else excess.new_zeros(excess.shape)

    return hinge


def _features(network: LPIPS, images: Tensor, resize: int | None) -> list[Tensor]:
    """The network's maps of images, each of unit length over its channels."""
    from lpips import normalize_tensor
    from torch.nn.functional import interpolate

    if resize is not None and (short := min(images.shape[-2:])) < resize:
        height, width = images.shape[-2:]
        size = (round(height * resize / short), round(width * resize / short))
        images = interpolate(images, size, mode="bilinear", align_corners=False)
    maps = network.net(network.scaling_layer(2 * images - 1))
    return [normalize_tensor(values) for values in maps]


def missing_weights(net: str) -> str:
    """What is to be done before `net` can be used; empty if its weights are there."""
    path = _weights(net)
    if path.is_file():
        return ""
    return (
        f"LPIPS with net={net!r} needs {path}, which is not part of the package. Write it by "
        f"`python tools/convert_lpips.py --net {net} --trunk TRUNK --heads HEADS "
        f"--out {path}`; torchvision downloads the trunk, vgg16-397923af.pth, where "
        "download.pytorch.org can be reached, and the heads are "
        f"weights/v0.1/{net}.pth of the lpips package. Or use net='alex'."
    )


def _weights(net: str) -> Path:
    return Path(__file__).parent / "weights" / f"lpips_{net}.safetensors"


@lru_cache(maxsize=4)
def _network(net: str, dtype: torch.dtype, device: torch.device) -> LPIPS:
    """The frozen LPIPS module for one net, dtype and device."""
    import torch
    from lpips import LPIPS
    from safetensors.torch import load_file

    if net not in ("alex", "vgg"):
        raise ValueError(f"unknown LPIPS net {net!r}; known: alex, vgg")
    if told := missing_weights(net):
        raise FileNotFoundError(told)
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")  # lpips calls torchvision by deprecated parameter names
        network = LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    weights = load_file(_weights(net))
    weights |= {f"lins.{key[3:]}": value for key, value in weights.items() if key[:3] == "lin"}
    with torch.inference_mode(False):
        network.load_state_dict(weights, assign=True)
        return network.to(device, dtype).requires_grad_(False)
