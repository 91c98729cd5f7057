"""The registered metrics conform, and each check refuses what it is there for."""

from __future__ import annotations

import pytest
import torch

from impress_bench.benchmark.conformance import ConformanceError, MetricConformance, checks
from impress_bench.benchmark.harness.plugins.conformance_run import resolve
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.metrics import l2, psnr, squared_mmd
from impress_bench.metrics.base import Metric, SetMetric


def case_of(metric):
    return type("Case", (MetricConformance,), {"build": lambda self: metric})()


def test_sets_differ_in_size():
    with pytest.raises(RuntimeError, match="must match the size"):
        case_of(SameSizes()).test_answers_with_finite_values()


def failures(metric):
    found = {}
    for name, _, check in checks(case_of(metric)):
        try:
            check()
        except ConformanceError as error:
            found[name] = str(error)
    return found


@pytest.mark.filterwarnings("ignore::impress_bench.benchmark.embedding_metrics.fid.SmallSetWarning")
@pytest.mark.parametrize("name", ["lpips", "kid", "cmmd", "fid", "precision", "image-similarity"])
def test_registered_metrics_conform(name):
    component = resolve(name, {}, Registry())
    assert failures(component.create()) == {}


class Gap(Metric):
    title, higher_is_better = "Gap", False

    def __call__(self, images, reference):
        return l2(images, reference)


class Colours(SetMetric):
    title, higher_is_better = "Colours", False

    def embed(self, images):
        return images.mean(dim=(2, 3))

    def compare(self, painted, reference):
        return squared_mmd(painted, reference)


class Upwards(Gap):
    higher_is_better = True


class Infinite(Gap):
    higher_is_better = True

    def __call__(self, images, reference):
        return psnr(images, reference)


class OneNumber(Gap):
    def __call__(self, images, reference):
        return super().__call__(images, reference).mean()


class Batched(Gap):
    def __call__(self, images, reference):
        return l2(images, reference) + images.mean()


class Editing(Gap):
    def __call__(self, images, reference):
        return l2(images.add_(0.01), reference)


class Drawing(Gap):
    def __call__(self, images, reference):
        return l2(images + torch.rand_like(images), reference)


class Squeezed(Gap):
    def __call__(self, images, reference):
        return super().__call__(images, reference).squeeze()


class SameSizes(Colours):
    def compare(self, painted, reference):
        return float((painted - reference).square().sum())


@pytest.mark.parametrize("metric", [Gap, Colours])
def test_what_conforms_is_let_pass(metric):
    assert failures(metric()) == {}


@pytest.mark.parametrize(
    ("metric", "check", "told"),
    [
        (Upwards, "points_the_right_way", "equal images have 0"),
        (Infinite, "answers_with_finite_values", "equal images have no finite value"),
        (OneNumber, "answers_with_finite_values", "returns shape (), not (2,)"),
        (Batched, "images_do_not_depend_on_their_neighbours", "among others"),
        (Editing, "leaves_its_input_alone", "edits the images"),
        (Drawing, "is_deterministic", "different results"),
        (Drawing, "leaves_global_state_alone", "torch's random state"),
        (Squeezed, "images_do_not_depend_on_their_neighbours", "shape () for one image"),
    ],
)
def test_each_check_refuses_what_it_is_for(metric, check, told):
    assert told in failures(metric())[check]
