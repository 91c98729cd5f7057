"""The built-in protections conform, and every check refuses what it says it refuses."""

from __future__ import annotations

import random
from typing import ClassVar

import numpy as np
import pytest
import torch

from impress_bench.benchmark.conformance import ConformanceError, checks
from impress_bench.benchmark.contract import Budget, PluginError
from impress_bench.protections import (
    Glaze,
    Identity,
    PhotoGuardDiffusion,
    PhotoGuardEncoder,
    Protection,
    RandomNoise,
)
from impress_bench.protections.testing import ProtectionConformance

GLAZE = {"target": "engraving", "steps": 8, "lr": 0.04, "transfer_steps": 3, "linf": 16 / 255}


class TestGlaze(ProtectionConformance):
    def build(self):
        return Glaze(**GLAZE, strength=0.8)


class TestEncoder(ProtectionConformance):
    def build(self):
        return PhotoGuardEncoder(steps=10, linf=16 / 255, step=2 / 255)


class TestDiffusion(ProtectionConformance):
    def build(self):
        return PhotoGuardDiffusion(radius=1.0, step=0.3, steps=5, repeats=1, diffusion_steps=2)


class TestIdentity(ProtectionConformance):
    control = True

    def build(self):
        return Identity()


class TestNoise(ProtectionConformance):
    control = True

    def build(self):
        return RandomNoise(match="glaze", bisections=4)


class Faulty(Protection):
    """Breaks what a test asks it to break."""

    name: ClassVar[str] = "faulty"
    budget = Budget()

    def __init__(self, fault: str) -> None:
        self.fault = fault
        if fault == "budget":
            self.budget = Budget(linf=1 / 255)

    def perturb(self, images, context):
        moved = (images + 0.1 * (0.5 - images)).clamp(0, 1)
        if self.fault == "input":
            images += 0.01
        elif self.fault == "threads":
            torch.set_num_threads(torch.get_num_threads() + 1)
        elif self.fault == "random":
            random.random()
        elif self.fault == "constant seed":
            torch.manual_seed(0)
        elif self.fault == "numpy":
            np.random.rand()
        elif self.fault == "global noise":
            with torch.random.fork_rng(enabled=False):
                moved = (moved + 0.05 * torch.randn(images.shape)).clamp(0, 1)
        elif self.fault == "neighbours":
            moved = (images + images.mean(0, keepdim=True).roll(5, -1)) / 2
        elif self.fault == "last neighbour":
            moved = moved.clone()
            if len(images) > 1:  # the first comes out as it does alone
                moved[-1] = (moved[-1] + moved[0]) / 2
        elif self.fault == "nothing":
            moved = images
        elif self.fault == "nan":
            moved = images * float("nan")
        elif self.fault == "budget":
            moved = (images + 0.02).clamp(0, 1)
        return moved


class Bare:
    """Not built on our base class, which would catch this itself."""

    name = "bare"

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def __call__(self, images, context):
        from impress_bench.benchmark.contract import Protected

        if self.fault == "input":
            images += 0.01
        zeros = torch.zeros(len(images))
        moved = images * 0.999 if self.fault == "levels" else (images - 16 / 255).clamp(0, 1)
        return Protected(moved, zeros, zeros, zeros)


@pytest.mark.parametrize(
    ("check", "plugin", "error"),
    [
        ("answers_with_valid_images", lambda: Faulty("nan"), PluginError),
        ("answers_with_valid_images", lambda: Bare("levels"), ConformanceError),
        ("leaves_its_input_alone", lambda: Bare("input"), ConformanceError),
        ("leaves_global_state_alone", lambda: Faulty("threads"), ConformanceError),
        ("leaves_global_state_alone", lambda: Faulty("random"), ConformanceError),
        ("leaves_global_state_alone", lambda: Faulty("numpy"), ConformanceError),
        ("leaves_global_state_alone", lambda: Faulty("global noise"), ConformanceError),
        ("leaves_global_state_alone", lambda: Faulty("constant seed"), ConformanceError),
        ("is_deterministic", lambda: Faulty("global noise"), ConformanceError),
        (
            "images_do_not_depend_on_their_neighbours",
            lambda: Faulty("neighbours"),
            ConformanceError,
        ),
        (
            "images_do_not_depend_on_their_neighbours",
            lambda: Faulty("last neighbour"),
            ConformanceError,
        ),
        ("keeps_its_budget", lambda: Faulty("budget"), PluginError),
        ("does_more_than_noise", lambda: Faulty("nothing"), ConformanceError),
    ],
)
def test_each_check_refuses_what_it_says(check, plugin, error):
    class Case(ProtectionConformance):
        def build(self):
            return plugin()

    threads = torch.get_num_threads()
    torch.manual_seed(0)  # as a plugin that seeds by a constant may have left it
    try:
        with pytest.raises(error):
            getattr(Case(), f"test_{check}")()
    finally:
        torch.set_num_threads(threads)


def test_checks_are_listed_with_what_they_refuse():
    listed = {name: text for name, text, _ in checks(TestIdentity())}
    assert list(listed)[:2] == ["answers_with_valid_images", "leaves_its_input_alone"]
    assert "keeps_its_budget" in listed
    assert all(listed.values())
