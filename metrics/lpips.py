"""Learned perceptual distance LPIPS (Zhang et al. 2018, version 0.1), differentiable.

The network is the `lpips` package's own module; its weights come from a safetensors file beside
this module, so that nothing is downloaded or unpickled. AlexNet is embedded in float16: LPIPS moves
by at most 2e-4 from float32 weights. VGG16, which IMPRESS's released code uses, is not embedded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from impress_bench.metrics.strips import STRIP_PIXELS, mean_in_strips

if TYPE_CHECKING:
    import torch
    from lpips import LPIPS
    from torch import Tensor

#: How many pixels of an image stand for one value of each of a network's maps.
STRIDES = {"alex": (4, 8, 16, 16, 16), "vgg": (1, 2, 4, 8, 16)}
#: A long side in lengths of a short one that is enlarged: enlarged to LONGEST, or shrunk to SHRUNK.
LONGEST, SHRUNK = 4, 64


def lpips(preds: Tensor, target: Tensor, net: str = "alex", resize: int | None = None) -> Tensor:
    """LPIPS distance of each image, in the dtype and on the device of `preds`.

    Images (B, 3, H, W) in [0, 1]; values outside are taken as they are, so gradients survive.
    `net` is "alex" or "vgg". `resize` enlarges images whose short side is below it to that side,
    bilinearly; None leaves them. A long side beside it is enlarged to at most `LONGEST` times, and
    otherwise shrunk to `SHRUNK` times, `resize`: 2 x 4000 pixels become 224 x 4000. Returns (B,), 0
    for equal images and seldom above 1.2; lower is closer.

    Without a gradient, large images go through the network in strips, which gives the same value.

    Raises ValueError for an unknown net and FileNotFoundError where its weights are missing.
    """
    import torch

    target = target.to(preds)
    height, width = enlarged_size(preds.shape[-2:], resize)
    if torch.is_grad_enabled() or height * width <= 2 * STRIP_PIXELS:
        return lpips_to(target, net, resize)(preds)
    network = _network(net, preds.dtype, preds.device)

    def maps(preds: Tensor, target: Tensor) -> list[Tensor]:
        return _difference(network, _features(network, preds), _features(network, target))

    pairs = [(preds[at : at + 1], target[at : at + 1]) for at in range(len(preds))]
    enlarged = ((_enlarge(one, resize), _enlarge(other, resize)) for one, other in pairs)
    return torch.cat([mean_in_strips(maps, STRIDES[net], *pair) for pair in enlarged])


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
    reference = _features(network, _enlarge(target, resize))

    def distance(preds: Tensor) -> Tensor:
        maps = _difference(network, _features(network, _enlarge(preds, resize)), reference)
        distances = [one.mean((1, 2, 3)) for one in maps]
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


def _difference(network: LPIPS, ours: Sequence[Tensor], its: Sequence[Tensor]) -> list[Tensor]:
    """Weighted squared differences of the network's maps, (B, 1, h, w) each."""
    layers = zip(network.lins, ours, its, strict=True)
    return [lin((one - other) ** 2) for lin, one, other in layers]


def _features(network: LPIPS, images: Tensor) -> list[Tensor]:
    """The network's maps of images, each of unit length over its channels."""
    from lpips import normalize_tensor

    maps = network.net(network.scaling_layer(2 * images - 1))
    return [normalize_tensor(values) for values in maps]


def _enlarge(images: Tensor, resize: int | None) -> Tensor:
    """Images whose short side is at least `resize`."""
    from torch.nn.functional import interpolate

    size = enlarged_size(images.shape[-2:], resize)
    if size == tuple(images.shape[-2:]):
        return images
    return interpolate(images, size, mode="bilinear", align_corners=False)


def enlarged_size(size: Sequence[int], resize: int | None) -> tuple[int, int]:
    """Height and width at which the short side is at least `resize` and the long one bounded."""
    height, width = size
    short = min(height, width)
    if resize is None or short >= resize:
        return height, width
    height, width = (
        min(round(side * resize / short), max(LONGEST * resize, min(side, SHRUNK * resize)))
        for side in size
    )
    return height, width


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
