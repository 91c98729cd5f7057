"""`auto`: which member is taken and when, against a naive version; what it notes, draws and costs.

The fakes are plain: an image is as inconsistent as it is bright, and members darken.
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
    """Takes the share `by` of each image's brightness; more or less of it, by each image's draw."""

    name: ClassVar[str] = "darken"

    def __init__(self, by: float, spread: float = 0.0, reason: str | None = None) -> None:
        self.by, self.spread, self.reason, self.calls = by, spread, reason, 0

    def skip(self, model: object) -> str | None:
        return self.reason

    def purify(self, images: Tensor, context) -> Tensor:
        self.calls += 1
        draws = rand_per_image(per_image_generators(context.generator, len(images)), images)
        return images * (1 - self.by - self.spread * (draws[:, :1, :1, :1] - 0.5)).clamp(0, 1)


@pytest.fixture
def auto(monkeypatch):
    """`auto(members, error, distance)`: with these members and figures of clean paintings; LPIPS is
    the mean absolute difference."""
    monkeypatch.setattr(rules, "lpips_budget", lambda one, two: (one - two).abs().mean((1, 2, 3)))
    monkeypatch.setattr(rules, "NEAR", 0.0)
    monkeypatch.setattr(rules, "ROOM", 1.0)

    def build(purifiers, error, distance):
        monkeypatch.setattr(rules, "measure_clean", lambda model, images: Clean(error, distance))
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
    ("error", "distance", "name", "met", "calls"),
    [
        (0.17, 0.0, "a", 1.0, [1, 0, 0]),  # .4^2 as published
        (0.05, 1.0, "b", 1.0, [1, 1, 0]),  # .2^2 after half, which moves by .4
        (0.05, 0.3, "a", 0.0, [1, 1, 1]),  # half is too far, and so is all
        (0.03, 0.5, "b", 0.0, [1, 1, 1]),  # half is near and not enough; all is too far
        (0.00, 1.0, "c", 1.0, [1, 1, 1]),
    ],
    ids=["at once", "in between", "never near", "never", "last"],
)
def test_the_first_that_satisfies_the_rule_else_the_most_consistent_near(
    auto, error, distance, name, met, calls
):
    purifiers = {"a": Darken(0.0), "b": Darken(0.5), "c": Darken(1.0)}
    images, notes = run(auto(purifiers, error, distance), IMAGES)
    assert taken(notes) == name
    assert notes["auto-met"] == [met] * 3
    assert [purifier.calls for purifier in purifiers.values()] == calls
    expected = {"a": IMAGES, "b": IMAGES / 2, "c": 0 * IMAGES}[name]
    assert (images - expected).abs().max() <= 0.5 / 255 + 1e-6
    assert [notes[f"auto-{one}"] for one in "abc"] == [[float(one == name)] * 3 for one in "abc"]
    assert notes["auto-clean"] == [float((level / 2) ** 2 <= error) for level in (0.8, 0.8, 0.4)]


def naive(purifiers, images, error, distance, seed):
    """The rule written out for one subject, image by image."""
    best = None
    for name, purifier in purifiers.items():
        made = purifier(images, context(seed)).images
        errors, distances = [], []
        for one, published in zip(made, images, strict=True):
            errors.append(sum((v / 2) ** 2 for v in one.flatten().tolist()) / one.numel())
            gaps = zip(one.flatten().tolist(), published.flatten().tolist(), strict=True)
            distances.append(sum(abs(a - b) for a, b in gaps) / one.numel())
        middle = sorted(errors)[1], sorted(distances)[1]
        if middle[1] > distance:
            continue
        if middle[0] <= error:
            return name, made
        if best is None or middle[0] < best[0]:
            best = middle[0], name, made
    return best[1:]


def test_as_the_naive_version(auto):
    draw = torch.Generator().manual_seed(8)
    found = set()
    for seed in range(12):
        by = torch.rand(4, generator=draw).sort().values.tolist()
        error, distance = (torch.rand(2, generator=draw) * torch.tensor([0.12, 0.7])).tolist()
        purifiers = {"a": Darken(0.0)} | {
            name: Darken(share, 0.3) for name, share in zip("bcde", by, strict=True)
        }
        images = (torch.rand(3, 3, 16, 16, generator=draw) * 255).round() / 255
        made, notes = run(auto(purifiers, error, distance), images, seed)
        name, expected = naive(purifiers, images, error, distance, seed)
        assert taken(notes) == name
        assert torch.equal(made, expected), "the member's own row"
        found.add((name, notes["auto-met"][0]))
    assert len(found) > 4, found


def test_one_choice_per_subject_and_images_that_do_not_depend_on_others(auto):
    """Alone, the dark image would be left as it is."""
    built = auto({"a": Darken(0.0), "b": Darken(0.5, 0.2)}, 0.06, 1.0)
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
    assert set(noted) == {"auto-a", "auto-c", "auto-met", "auto-clean"}
    with pytest.raises(PluginError, match="auto: needs a model"):
        built(IMAGES, context())
    assert "no/such" in (Auto(upscaler="no/such").skip(None) or "")


def test_progress_is_that_of_members(auto):
    steps = []
    built = auto({"a": Darken(0.0), "b": Darken(0.1)}, 0.0, 1.0)
    built(IMAGES, context(model=Halving(), progress=lambda *step: steps.append(step)))
    assert steps == [(1, 2), (2, 2)]


def test_clean_figures_are_of_each_surrogate_and_kept_with_it(monkeypatch):
    """The 90th percentile of errors and the median distance, by hand; measured once."""
    images = flat(*(level / 10 for level in range(11)))
    monkeypatch.setattr(rules, "lpips_budget", lambda one, two: (one - two).abs().mean((1, 2, 3)))
    clean = measure_clean(Halving(), images)
    assert clean.error == pytest.approx(0.45**2)
    assert clean.distance == pytest.approx(0.25, abs=1 / 255)
    calls = []
    monkeypatch.setattr(rules, "paintings", lambda side: calls.append(side) or images)
    model = Halving()
    assert StoppingRule.of(model).clean == StoppingRule.of(model).clean == clean
    assert StoppingRule.of(Halving()).clean == clean
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
    """One image; the chain of IMPRESS is counted at a twentieth of its steps."""
    model, counts = environment.model("target"), []
    for name, purifier in members():
        if name == "noisy-upscaling":
            assert purifier.skip(model)
            continue
        if isinstance(purifier, Chain):
            purifier.purifiers[1].steps = 5
        with environment.stage(1, "test"):
            purifier(smooth_images(1, 64), context(model=model))
        counts.append(sum(environment.passes.values()) * (20 if isinstance(purifier, Chain) else 1))
    assert counts == sorted(counts)
    assert counts[:5] == [0, 0, 0, 0, 2]
    assert listed.members("x")[-1].purifier.upscaler == "x"


def test_the_rule_costs_a_round_trip_and_an_lpips_per_member(environment, smooth_images):
    """Two members that satisfy nothing; the published images are equal to the first's."""
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
