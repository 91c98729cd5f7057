"""`auto`: which member is taken and when, against a naive version; what it notes, draws and costs.

The fakes are plain: the inconsistency of an image is the square of half its brightness, and members
darken it.
"""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from contexts import context
from torch import Tensor, nn

from impress_bench.attacks import Auto, Chain, Jpeg, Purifier
from impress_bench.attacks import members as listed
from impress_bench.attacks import stopping_rule as rules
from impress_bench.attacks.members import Member, members
from impress_bench.attacks.stopping_rule import Clean, StoppingRule, measure_clean, paintings
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.seeds import per_image_generators, rand_per_image


class Halving:
    """Reconstructs every image as one half as bright."""

    image_size, device = 16, torch.device("cpu")

    def __init__(self) -> None:
        self.autoencoder = nn.Identity()

    def reconstruct(self, images: Tensor) -> Tensor:
        return images / 2


class Darken(Purifier):
    """Takes the share `by` of the brightness of images brighter than `above`; more or less of it,
    by each image's own draw."""

    name: ClassVar[str] = "darken"

    def __init__(self, by, spread=0.0, above=-1.0, reason=None) -> None:
        self.by, self.spread, self.above, self.reason = by, spread, above, reason
        self.calls = 0

    def skip(self, model: object) -> str | None:
        return self.reason

    def purify(self, images: Tensor, context) -> Tensor:
        self.calls += 1
        draws = rand_per_image(per_image_generators(context.generator, len(images)), images)
        share = (1 - self.by - self.spread * (draws[:, :1, :1, :1] - 0.5)).clamp(0, 1)
        return torch.where(images.mean((1, 2, 3), True) > self.above, images * share, images)


@pytest.fixture
def auto(monkeypatch):
    """`auto(members, left, distance)`: with these members and figures of clean paintings; LPIPS is
    the mean absolute difference."""
    monkeypatch.setattr(rules, "lpips_budget", lambda one, two: (one - two).abs().mean((1, 2, 3)))
    monkeypatch.setattr(rules, "NEAR", 0.0)
    monkeypatch.setattr(rules, "ROOM", 1.0)

    def build(purifiers, left, distance):
        monkeypatch.setattr(rules, "measure_clean", lambda model, images: Clean(left, distance))
        monkeypatch.setattr(rules, "paintings", lambda side: None)
        made = Auto()
        made.members = tuple(Member(name, purifier) for name, purifier in purifiers.items())
        return made

    return build


def run(auto, images, seed=0):
    """Its images and notes."""
    notes = {}
    given = context(seed, model=Halving(), note=lambda name, values: notes.update({name: values}))
    return auto(images, given).images, notes


def taken(notes):
    (name,) = [name for name, values in notes.items() if values[0] == 1 and name[5:] in "abcde"]
    return name.removeprefix("auto-")


def flat(*levels):
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 16, 16).contiguous()


IMAGES = flat(0.8, 0.8, 0.4)


@pytest.mark.parametrize(
    ("left", "distance", "name", "met", "calls"),
    [
        (1.0, 0.0, "a", 1.0, [1, 0, 0]),
        (0.3, 1.0, "b", 1.0, [1, 1, 0]),  # half the brightness leaves a quarter, .4 away
        (0.3, 0.3, "a", 0.0, [1, 1, 1]),  # half is too far, and so is all
        (0.2, 0.5, "b", 0.0, [1, 1, 1]),  # half is near and not enough; all is too far
        (0.0, 1.0, "c", 1.0, [1, 1, 1]),
    ],
    ids=["at once", "in between", "never near", "never", "last"],
)
def test_the_first_that_satisfies_the_rule_else_the_most_consistent_near(
    auto, left, distance, name, met, calls
):
    purifiers = {"a": Darken(0.0), "b": Darken(0.5), "c": Darken(1.0)}
    images, notes = run(auto(purifiers, left, distance), IMAGES)
    assert taken(notes) == name
    assert notes["auto-met"] == [met] * 3
    assert [purifier.calls for purifier in purifiers.values()] == calls
    expected = {"a": IMAGES, "b": IMAGES / 2, "c": 0 * IMAGES}[name]
    assert (images - expected).abs().max() <= 0.5 / 255 + 1e-6
    assert [notes[f"auto-{one}"] for one in "abc"] == [[float(one == name)] * 3 for one in "abc"]
    assert notes["auto-left"] == pytest.approx([{"a": 1.0, "b": 0.25, "c": 0.0}[name]] * 3)


def naive(purifiers, images, left, distance, seed):
    """The rule written out for one subject, image by image."""
    best = None
    for name, purifier in purifiers.items():
        made = purifier(images, context(seed)).images
        shares, distances = [], []
        for one, published in zip(made, images, strict=True):
            after, before = one.flatten().tolist(), published.flatten().tolist()
            shares.append(sum((v / 2) ** 2 for v in after) / sum((v / 2) ** 2 for v in before))
            gaps = [abs(a - b) for a, b in zip(after, before, strict=True)]
            distances.append(sum(gaps) / len(gaps))
        middle = sorted(shares)[1], sorted(distances)[1]
        if middle[1] > distance:
            continue
        if middle[0] <= left:
            return name, made
        if best is None or middle[0] < best[0]:
            best = middle[0], name, made
    return best[1:]


def test_as_the_naive_version(auto):
    draw = torch.Generator().manual_seed(8)
    found = set()
    for seed in range(12):
        by = torch.rand(4, generator=draw).sort().values.tolist()
        left, distance = torch.rand(2, generator=draw).tolist()
        distance *= 0.6
        purifiers = {"a": Darken(0.0)} | {
            name: Darken(share, 0.3) for name, share in zip("bcde", by, strict=True)
        }
        images = (torch.rand(3, 3, 16, 16, generator=draw) * 255).round() / 255
        made, notes = run(auto(purifiers, left, distance), images, seed)
        name, expected = naive(purifiers, images, left, distance, seed)
        assert taken(notes) == name
        assert torch.equal(made, expected), "the member's own row"
        found.add((name, notes["auto-met"][0]))
    assert len(found) > 4, found


def test_one_choice_per_subject_and_images_that_do_not_depend_on_others(auto):
    """The median decides: the dark image alone would have been left as it is."""
    built = auto({"a": Darken(0.0), "b": Darken(0.5, 0.2, above=0.5)}, 0.4, 1.0)
    together, notes = run(built, IMAGES)
    assert taken(notes) == "b"
    assert taken(run(built, IMAGES[2:])[1]) == "a"
    assert torch.equal(run(built, IMAGES[:2])[0], together[:2])
    assert Auto.granularity == "subject"


def test_the_generator_moves_on_and_members_that_do_not_apply_are_left_out(auto):
    skipped = Darken(0.9, reason="needs an upscaler")
    built = auto({"a": Darken(0.0), "b": skipped, "c": Darken(0.5, 0.4)}, 0.0, 1.0)
    noted = {}
    given = context(model=Halving(), note=lambda name, values: noted.update({name: values}))
    first, second = (built(IMAGES, given).images for _ in range(2))
    assert not torch.equal(first, second)
    assert skipped.calls == 0
    assert set(noted) == {"auto-a", "auto-c", "auto-met", "auto-left"}
    with pytest.raises(PluginError, match="auto: needs a model"):
        built(IMAGES, context())
    assert "no/such" in (Auto(upscaler="no/such").skip(None) or "")


def test_progress_is_that_of_members(auto):
    steps = []
    built = auto({"a": Darken(0.0), "b": Darken(0.1)}, 0.0, 1.0)
    built(IMAGES, context(model=Halving(), progress=lambda *step: steps.append(step)))
    assert steps == [(1, 2), (2, 2)]


class Squaring(Halving):
    """Reconstructs x as x^2."""

    def reconstruct(self, images: Tensor) -> Tensor:
        return images**2


def test_clean_figures_are_of_each_surrogate_and_kept_with_it(monkeypatch):
    """By hand: of x's inconsistency (x - x^2)^2 its round trip leaves the share x^2 (1 + x)^2."""
    levels = [level / 10 for level in range(3, 10)]
    monkeypatch.setattr(rules, "lpips_budget", lambda one, two: (one - two).abs().mean((1, 2, 3)))
    clean = measure_clean(Squaring(), flat(*levels))
    shares = [x**2 * (1 + x) ** 2 for x in levels]
    assert clean.left == pytest.approx(min(shares), rel=0.02)
    assert clean.distance == pytest.approx(sorted(x - x**2 for x in levels)[3], abs=1 / 255)
    calls = []
    monkeypatch.setattr(rules, "paintings", lambda side: calls.append(side) or flat(*levels))
    model = Squaring()
    assert StoppingRule.of(model).clean == StoppingRule.of(model).clean == clean
    assert StoppingRule.of(Squaring()).clean == clean
    assert calls == [16, 16]


def test_paintings_are_by_artists_kept_for_choosing():
    from impress_bench.benchmark.atelier import world

    works = paintings(64)
    assert works.shape == (len(world.artists("validation")) * len(world.SUBJECTS), 3, 64, 64)
    assert paintings(128).shape[-2:] == (128, 128)
    own = world.paint(world.artists("validation")[0], world.SUBJECTS[0], "heldout", 0).image
    assert torch.equal((works[0] * 255).round().byte().permute(1, 2, 0), torch.from_numpy(own))


@pytest.fixture(scope="module")
def environment():
    return Environment({"target": "atelier"})


def test_members_are_in_order_of_their_passes(environment, smooth_images):
    """One image; what takes steps is counted at a few of them."""
    model, counts = environment.model("target"), []
    for name, purifier in members():
        if name == "noisy-upscaling":
            assert purifier.skip(model)
            continue
        slow = purifier.purifiers[1] if isinstance(purifier, Chain) else purifier
        steps = getattr(slow, "steps", 5)
        slow.steps, slow.stop = 5, 0.0
        with environment.stage(1, "test"):
            purifier(smooth_images(1, 64), context(model=model))
        counts.append(sum(environment.passes.values()) * steps // 5)
    assert counts == sorted(counts)
    assert counts[:4] == [0, 0, 0, 0]
    assert counts[4] < counts[5] / 2
    assert listed.members("x")[-1].purifier.upscaler == "x"


def test_the_rule_costs_a_round_trip_and_an_lpips_per_member(environment, smooth_images):
    """Two members that satisfy nothing: the published images once, and those of the second."""
    model, images = environment.model("target"), smooth_images(2, 64)
    built = Auto()
    built.members = (Member("none", Darken(0.0)), Member("jpeg", Jpeg(quality=75)))
    rules._MEASURED[model.autoencoder] = Clean(0.0, 0.0)
    try:
        with environment.stage(1, "test"):
            built(images, context(model=model))
        assert environment.passes == {
            "encoder forward": 4, "decoder forward": 4, "lpips forward": 4,
        }  # fmt: skip
    finally:
        del rules._MEASURED[model.autoencoder]
