"""Attacks on an encoder whose best answer is known in closed form."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from impress_bench.benchmark.models.susceptibility import (
    RADII,
    cells_of,
    drive,
    random_signs,
    share_left,
    shift,
)


def encode(images):
    """Latents are the mean colours of 4 x 4 cells, with mid-grey at zero."""
    return avg_pool2d(images, 4) - 0.5


@pytest.fixture
def images():
    draw = torch.Generator().manual_seed(0)
    return (torch.randint(40, 216, (3, 3, 16, 16), generator=draw) / 255).float()


@pytest.mark.parametrize("solver", ["pgd", "momentum", "adam"])
@pytest.mark.parametrize("radius", RADII.values(), ids=RADII)
def test_attacks_reach_what_a_linear_encoder_allows(images, radius, solver):
    """Each mean can move by the radius and no farther; rounding to 8 bits costs below one level."""
    moved = drive(encode, images, torch.zeros(()), radius, steps=50, solver=solver)
    assert (moved - images).abs().max() <= radius + 1e-6
    torch.testing.assert_close(moved * 255, (moved * 255).round(), atol=1e-4, rtol=0)
    left = share_left(encode, images, moved, torch.zeros(()))
    means = encode(images)
    for reach, bound in ((radius, torch.ge), (radius - 1.5 / 255, torch.le)):
        best = (means.abs() - reach).clamp_min(0).square().sum((1, 2, 3))
        assert bound(left, best / means.square().sum((1, 2, 3)) - 1e-5).all()


def test_a_target_may_be_another_image_s_latents(images):
    target = encode(images.roll(1, 0))
    moved = drive(encode, images, target, 8 / 255, steps=20)
    assert (share_left(encode, images, moved, target) < 0.95).all()
    assert (share_left(encode, images, images, target) == 1).all()


def test_nothing_moves_outside_the_movable_part(images):
    movable = torch.zeros(3, 1, 16, 16, dtype=torch.bool)
    movable[:, :, 3:9, :5] = True
    moved = drive(encode, images, torch.zeros(()), 16 / 255, steps=20, movable=movable)
    changed = (moved != images).any(1, keepdim=True)
    assert changed.any()
    assert not (changed & ~movable).any()
    cells = cells_of(movable, encode)
    assert cells[0, 0].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    within = share_left(encode, images, moved, torch.zeros(()), movable)
    kept = encode(images) * cells
    by_hand = (encode(moved) * cells).square().sum((1, 2, 3)) / kept.square().sum((1, 2, 3))
    torch.testing.assert_close(within, by_hand)


def test_random_signs_are_of_full_size_and_move_little(images):
    noisy = random_signs(images, 8 / 255, torch.Generator().manual_seed(1))
    torch.testing.assert_close((noisy - images).abs(), torch.full_like(images, 8 / 255))
    aimed = drive(encode, images, torch.zeros(()), 8 / 255, steps=20)
    assert (shift(encode, images, noisy) < shift(encode, images, aimed) / 4).all()
