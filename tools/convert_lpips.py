r"""Convert LPIPS weights to the one safetensors file that `impress_bench.metrics.lpips` loads.

    python tools/convert_lpips.py --net alex --trunk alexnet_features.safetensors \
        --heads SITE_PACKAGES/lpips/weights/v0.1/alex.pth \
        --out metrics/weights/lpips_alex.safetensors

`--trunk` holds torchvision's ImageNet weights (`features.0.weight`, ...) as safetensors or as the
.pth that torchvision downloads; `--heads` is the linear heads of the `lpips` package. Pickles are
read here only, with `weights_only=True`; the benchmark itself reads nothing but safetensors.
The input scaling of LPIPS, six numbers, stays in float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from lpips import LPIPS
from safetensors.torch import load_file, save_file


def read(path: Path) -> dict[str, torch.Tensor]:
    """A state dict from safetensors or, tensors only, from a .pth file."""
    if path.suffix == ".safetensors":
        return load_file(path)
    weights: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def convert(
    net: str, trunk: dict[str, torch.Tensor], heads: dict[str, torch.Tensor], dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """Weights under the names of `lpips.LPIPS`, which keeps torchvision's layer numbers.

    Raises KeyError where `trunk` or `heads` lacks a tensor.
    """
    network = LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    weights: dict[str, torch.Tensor] = {}
    for name, value in network.state_dict().items():
        if name.startswith("net.slice"):
            weights[name] = trunk["features." + name.split(".", 2)[2]].to(dtype)
        elif name.startswith("scaling_layer."):
            weights[name] = value.float()
        elif not name.startswith("lins."):  # the list of the same heads
            weights[name] = heads[name].to(dtype)
    return {name: value.contiguous() for name, value in weights.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=("alex", "vgg"), default="alex")
    parser.add_argument("--trunk", type=Path, required=True)
    parser.add_argument("--heads", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dtype", choices=("float16", "float32"), default="float16")
    args = parser.parse_args()
    weights = convert(args.net, read(args.trunk), read(args.heads), getattr(torch, args.dtype))
    save_file(weights, args.out, metadata={"format": "pt", "net": args.net, "version": "0.1"})
    print(f"{args.out}: {len(weights)} tensors, {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
