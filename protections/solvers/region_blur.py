"""Perturbations that are blurred region by region (BlurGuard, Kim et al. 2025).

    blur(p) = sum over regions i of  m_i * (G(sigma_i) conv p)

for masks m_i that divide the image and Gaussians G of the deviation sigma_i, in pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

#: Half the side of the released kernel, 33 pixels wide at every image size.
RADIUS = 16


def colour_regions(images: Tensor, count: int) -> Tensor:
    """Masks (B, R, H, W), each 0 or 1 and of sum 1 over R, that divide `images` (B, 3, H, W) into
    about `count` connected regions of similar colour: SLIC (Achanta et al. 2012). An image of fewer
    regions has empty masks."""
    from skimage.segmentation import slic

    if count == 1:
        return torch.ones_like(images[:, :1])
    found = []
    for image in images:
        pixels = image.detach().permute(1, 2, 0).double().cpu().numpy()
        found.append(torch.from_numpy(slic(pixels, n_segments=count, start_label=0)))
    labels = torch.stack(found).to(images.device)
    known = torch.arange(int(labels.max()) + 1, device=images.device)
    return (labels[:, None] == known[:, None, None]).to(images)


def region_blur(values: Tensor, sigmas: Tensor, masks: Tensor) -> Tensor:
    """`values` (B, 3, H, W), blurred by `sigmas` (B, R) where `masks` (B, R, H, W) are 1, with
    reflected edges. Differentiable in both."""
    (batch, regions), (channels, height, width) = sigmas.shape, values.shape[1:]
    planes = values[:, None].expand(-1, regions, -1, -1, -1).reshape(1, -1, height, width)
    for axis, side in ((-2, height), (-1, width)):
        radius = min(RADIUS, side - 1)  # no more can be reflected
        offsets = torch.arange(-radius, radius + 1).to(values)
        weights = torch.exp(-offsets.square() / (2 * sigmas[..., None].square()))
        weights = weights / weights.sum(dim=-1, keepdim=True)
        kernels = weights.flatten(0, 1).repeat_interleave(channels, dim=0)[:, None]
        border = (0, 0, radius, radius) if axis == -2 else (radius, radius, 0, 0)
        shaped = kernels.unsqueeze(-1 if axis == -2 else -2)
        planes = conv2d(pad(planes, border, mode="reflect"), shaped, groups=planes.shape[1])
    blurred = planes.view(batch, regions, channels, height, width)
    return (blurred * masks[:, :, None]).sum(dim=1)


def ring_powers(images: Tensor) -> Tensor:
    """Log10 of the power of `images` (B, 3, H, W) in rings of its Fourier transform, (B, rings),
    summed over channels.

    As released, rings are centred on the middle of an unshifted transform, which is the highest
    frequency and not the lowest: ring 0 holds the finest detail.
    """
    power = torch.fft.fft2(images).abs().square().sum(dim=1)
    height, width = power.shape[-2:]
    rows, columns = (torch.arange(side, device=power.device) for side in (height, width))
    rows, columns = rows - (height - 1) / 2, columns - (width - 1) / 2
    ring = (rows[:, None].square() + columns.square()).sqrt().round().long().flatten()
    rings = power.new_zeros(len(power), int(ring.max()) + 1)
    spectrum: Tensor = (rings.index_add(1, ring, power.flatten(1)) + 1e-8).log10()
    return spectrum
