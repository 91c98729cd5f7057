"""Who is given the names of subjects and images: protections and `dir:`, not others' purifiers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from impress_bench.attacks import Chain, Jpeg
from impress_bench.attacks.external import DirPurifier
from impress_bench.benchmark.contract import ImageSet, Protected, PurifierHooks
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.stages.base import Place, Scene
from impress_bench.benchmark.harness.stages.protect import Protect
from impress_bench.benchmark.harness.stages.purify import Purify
from impress_bench.benchmark.harness.storage.result import Result

IMAGES = ImageSet(np.zeros((2, 8, 8, 3), np.uint8), ("000-boat", "001-tree"), ("A boat", "A tree"))


class Curious(PurifierHooks):
    """Keeps all that it is given."""

    def __init__(self) -> None:
        self.given: list[object] = []

    def skip(self, *given):
        self.given.extend(given)

    def receive_names(self, *given):
        self.given.extend(given)

    def __call__(self, images, context):
        self.given.extend([context.titles, context.masks, context.results])
        zeros = images.new_zeros(len(images))
        return Protected(images, zeros, zeros, zeros)


def run(stage_type, role, plugin, distribution):
    """One stage with `plugin` on images by ada."""
    component = SimpleNamespace(
        kind=role,
        create=lambda: plugin,
        label="curious",
        surrogate="",
        further_models={},
        distribution=distribution,
        ours=distribution == OURS,
    )
    source = "protected" if stage_type is Purify else "original"
    stage = stage_type(
        place=Place("mimicry", "ada"),
        scene=Scene(SimpleNamespace(label="mimicry"), "mimicry", "ada", 1),
        model_identity="",
        **{role: component, source: None},
    )
    env = SimpleNamespace(
        model=lambda *_: None, device="cpu", progress=None, images_at_once=None, unfinished=None
    )
    stage.run({source: Result(IMAGES)}, env)


def test_a_third_partys_purifier_gets_no_name():
    plugin = Curious()
    run(Purify, "purifier", plugin, "somebody-elses")
    assert plugin.given == [None, (), None, {}]


def test_a_protection_gets_names_and_titles():
    plugin = Curious()
    run(Protect, "protection", plugin, "somebody-elses")
    assert {"ada", IMAGES.names, IMAGES.titles} <= {
        item for item in plugin.given if isinstance(item, str | tuple)
    }


def test_a_folder_is_given_names_and_what_follows_it_is_not(tmp_path):
    folder, follower = DirPurifier(path=str(tmp_path)), Curious()
    chain = Chain(folder, follower)
    chain.receive_names("ada", IMAGES.names)
    assert folder.folder.names == IMAGES.names
    assert follower.given == []
    headed = Chain(follower, Jpeg())
    headed.receive_names("ada", IMAGES.names)
    assert follower.given == []


@pytest.mark.parametrize("distribution", [OURS, "somebody-elses"])
def test_purifiers_of_this_package_alone_are_given_names(distribution):
    plugin = Curious()
    run(Purify, "purifier", plugin, distribution)
    assert (IMAGES.names in plugin.given) is (distribution == OURS)
