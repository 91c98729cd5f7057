"""Plugins of a pretended third party: small, fast, and each with one habit that tests look at."""

import os
import time
from dataclasses import replace
from typing import ClassVar

import fake_helper
import numpy as np
import torch

from impress_bench.benchmark.contract import Budget, Protected, Purified


def published(images, moved):
    moved = (moved.clamp(0, 1) * 255).round() / 255
    change = (moved - images).flatten(1)
    return Protected(moved, change.abs().amax(1), change.norm(dim=1), change.abs().mean(1))


class Clean:
    """Leaves images as they are."""

    def __call__(self, images, context):
        return published(images, images)


class Shift:
    """Moves every value by random steps."""

    budget = Budget(linf=16 / 255)

    def __init__(self, *, step: float = 8 / 255, rounds: int = 2):
        self.step = step
        self.rounds = rounds

    def __call__(self, images, context):
        assert len(context.titles) == len(images)
        for done in range(self.rounds):
            context.progress(done, self.rounds)
        signs = torch.randint(2, images.shape, generator=context.generator) * 2 - 1
        context.note("heads", (signs > 0).flatten(1).float().mean(1).tolist())
        return published(images, images + fake_helper.SCALE * signs * self.step)


def of_model(context):
    """As many levels as the model that was handed over has in its name."""
    return int(context.model.digest.removeprefix("tiny-")) / 255


class Tinted:
    """Moves every value by what the model says."""

    def __call__(self, images, context):
        return published(images, images + of_model(context))


class Joined:
    """An adaptation: what the base does, and what further models say."""

    further_models = ("models",)

    def __init__(self, *, models: str):
        self.models = models

    def __call__(self, base, label):
        return Joint(base)


class Joint:
    """What becomes of a protection."""

    def __init__(self, base):
        self.base = base

    def __call__(self, images, context):
        moved = self.base(images, context).images
        for model in context.further_models.values():
            moved = moved + of_model(replace(context, model=model))
        return published(images, moved)


class Bleach:
    """A purifier that does so."""

    def __call__(self, images, context):
        return Purified(((images + of_model(context)).clamp(0, 1) * 255).round() / 255)


class Selfish(Tinted):
    """Calls a parameter what names its model."""

    def __init__(self, *, surrogate: str = "me"):
        self.surrogate = surrogate


class Hungry(Clean):
    """Leaves images as they are and takes so many megabytes for a moment."""

    def __init__(self, *, megabytes: int = 0):
        self.megabytes = megabytes

    def __call__(self, images, context):
        np.ones(self.megabytes * 10**6, np.uint8)
        return super().__call__(images, context)


class Matched:
    """Moves values as far as another protection did."""

    def __init__(self, *, match: str = "shift"):
        self.match = match

    def requires(self):
        return (self.match,)

    def __call__(self, images, context):
        other = context.results[self.match]
        return published(images, images + other.linf.view(-1, 1, 1, 1) / 2)


class Miscounting:
    """Notes one value, however many images there are."""

    def __call__(self, images, context):
        context.note("odd", [0.5])
        return published(images, images)


class Filed:
    """Moves every value by the number of levels that stands in a file."""

    files = ("path",)

    def __init__(self, *, path: str):
        self.path = path

    def __call__(self, images, context):
        with open(self.path) as file:
            return published(images, images + int(file.read()) / 255)


class Halving:
    """An adaptation: goes a share of the way that another protection went on the same images."""

    injects: ClassVar = {"through": "purifiers"}

    def __init__(self, *, share: float = 0.5, through: str = "keep"):
        self.share = share
        self.through = through

    def __call__(self, base, label):
        return Halved(base, label, self.share, self.through)


class Halved:
    """What becomes of a protection; looks through a purifier first."""

    def __init__(self, base, label, share, through):
        self.base, self.label, self.share, self.through = base, label, share, through

    def requires(self):
        return (self.label,)

    def __call__(self, images, context):
        blind = replace(context, titles=(), results={})
        there = self.through(context.results[self.label].images, blind).images
        return published(images, images + self.share * (there - images))


class Careless:
    """Draws from the global random state, as libraries do."""

    def __call__(self, images, context):
        noise = torch.rand(images.shape) + torch.from_numpy(np.random.rand(*images.shape))
        return published(images, images + noise.float() / 100)


class Loud:
    """Breaks its own budget and does not notice."""

    budget = Budget(linf=1 / 255)

    def __call__(self, images, context):
        return published(images, images + 20 / 255)


class NotANumber:
    """Returns NaN."""

    def __call__(self, images, context):
        return published(images, images)._replace(images=images * float("nan"))


class Unrounded:
    """Returns values between 8-bit levels."""

    def __call__(self, images, context):
        return published(images, images)._replace(images=images * 0.999)


class Raising:
    """Raises while it works."""

    def __call__(self, images, context):
        raise RuntimeError("the paint ran out\nand more lines")


class Unbuildable:
    """Raises when it is created."""

    def __init__(self):
        raise ValueError("no licence")

    def requires(self):
        return ()


class Choosy:
    """Applies to nothing."""

    def skip(self, subject, model):
        return f"{subject} is no portrait"

    def __call__(self, images, context):
        raise AssertionError("called although it does not apply")


class Endless:
    """Works on until it is stopped."""

    def __call__(self, images, context):
        for step in range(10_000):
            time.sleep(0.01)
            context.progress(step, 10_000)
        return published(images, images)


class Keep:
    """Hands back what it gets."""

    def __call__(self, images, context):
        assert not context.titles
        assert context.masks is None
        assert not context.results
        return Purified(images)


class Smooth:
    """Averages neighbours."""

    def __init__(self, *, radius: int = 1):
        self.radius = radius

    def __call__(self, images, context):
        size = 2 * self.radius + 1
        smooth = torch.nn.functional.avg_pool2d(images, size, 1, self.radius)
        return Purified((smooth * 255).round() / 255)


class Noting(Smooth):
    """Notes the mean of each image, or one value for all of them."""

    def __init__(self, *, per_image: bool = True):
        super().__init__()
        self.per_image = per_image

    def __call__(self, images, context):
        means = images.flatten(1).mean(1).tolist()
        context.note("mean", means if self.per_image else means[:1])
        return super().__call__(images, context)


class Mortal:
    """Takes its process along so many times, counted in a file, and works then."""

    def __init__(self, *, deaths: int = 1, counter: str = "deaths"):
        self.deaths = deaths
        self.counter = counter

    def __call__(self, images, context):
        with open(self.counter, "a+") as file:
            file.seek(0)
            if len(file.read()) < self.deaths:
                file.write("x")
                file.flush()
                os._exit(1)
        return published(images, images)


class Slow(Shift):
    """Notes in a journal which process started this one, waits for a note of another's child, and
    works on for a while; without a journal it does not tarry."""

    def __call__(self, images, context):
        if journal := os.environ.get("FAKE_JOURNAL"):
            with open(journal, "a+") as file:
                print(os.getppid(), file=file, flush=True)
                deadline = time.monotonic() + 60
                while file.seek(0) or len(set(file.read().split())) < 2:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            time.sleep(3)
        return super().__call__(images, context)


class Gap:
    """A metric: the mean difference to the copy of the clean image, times a factor."""

    title = "The gap"
    higher_is_better = False
    needs_reference = True

    def __init__(self, *, factor: float = 1.0):
        self.factor = factor

    def __call__(self, images, reference):
        return self.factor * (images - reference).abs().flatten(1).mean(1)


class Brightness:
    """A metric without a reference."""

    title = "Brightness"
    higher_is_better = True
    needs_reference = False

    def __call__(self, images, reference):
        assert reference is None
        return images.flatten(1).mean(1)


class Wording:
    """A metric of images beside texts: lengths of both texts, and the change of the image."""

    title = "Wording"
    higher_is_better = True
    reference = "original"
    needs_titles = True

    def __call__(self, images, reference, titles, reference_titles):
        pairs = zip(titles, reference_titles, strict=True)
        words = [100 * len(one) + len(other) for one, other in pairs]
        return images.new_tensor(words) + (images - reference).abs().flatten(1).mean(1)


class Short(Brightness):
    """One value, however many images there are."""

    def __call__(self, images, reference):
        return images.mean().view(1)


class Torn(Brightness):
    """Raises."""

    def __call__(self, images, reference):
        raise ValueError("the ruler broke")


class Drift:
    """A metric over sets: the distance of mean values to those of the clean images."""

    title = "Drift"
    higher_is_better = False
    over = "set"
    minimum = 2

    def __call__(self, images, reference):
        return (images.mean() - reference.mean()).abs()


class Faraway(Drift):
    """The same to the copies of the clean images."""

    reference = "exploit"


class Crowd(Drift):
    """Needs more images than there are."""

    minimum = 3
