"""Style mimicry: what is learned from, what is painted, how it is judged."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import PACK, world
from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.harness.planner import make_plan
from impress_bench.benchmark.harness.presets import load_preset
from impress_bench.benchmark.harness.registry import Registry
from impress_bench.benchmark.harness.source import SourceIndex
from impress_bench.benchmark.models.style_classifier import pack_classifiers
from impress_bench.benchmark.tasks.style_mimicry import StyleMimicry, StyleMimicrySettings


@pytest.fixture
def task():
    return StyleMimicry(
        StyleMimicrySettings(
            works=4, samples=3, fine_tuning_steps=2, fine_tuning_lr=1e-4,
            fine_tuning_batch=2, sampling_steps=2, guidance_scale=2.0,
        )
    )  # fmt: skip


def silent(done, total):
    pass


def test_victims_and_validation_artists_are_apart(task):
    validation = StyleMimicry(StyleMimicrySettings(split="validation")).subjects()
    assert len(task.subjects()) == 8
    assert len(validation) == 2
    assert not set(task.subjects()) & set(validation)


def test_held_out_titles_are_not_training_titles(task):
    originals = task.originals(task.subjects()[0])
    made = task.exploit(
        task.subjects()[0], originals, load_model("atelier"), 0, silent, "no-fine-tuning"
    )
    assert len(made.titles) == len(set(made.titles)) == 3
    assert not set(made.titles) & set(originals.titles)


def test_exploit_is_paired_and_repeatable(task):
    model, subject = load_model("atelier"), task.subjects()[1]
    originals = task.originals(subject)
    learned = task.exploit(subject, originals, model, 7, silent)
    again = task.exploit(subject, originals, model, 7, silent)
    assert np.array_equal(learned.images, again.images)
    floors = [
        task.exploit(subject, originals, model, 7, silent, control) for control in task.controls
    ]
    for floor in floors:
        assert floor.titles == learned.titles
        assert not np.array_equal(floor.images, learned.images)


def test_score_counts_paintings_ranked_first_and_among_three(task):
    """Against a count in plain Python, on paintings of which half are another movement's."""
    subject = task.subjects()[0]
    style = world.artist(subject).movement
    others = [a for a in world.artists("pretrain") if a.movement != style]
    works = [
        *world.paintings(world.artist(subject), "evaluation", 6),
        *world.paintings(others[0], "heldout", 6),
    ]
    images = ImageSet(np.stack([w.image for w in works]), tuple(map(str, range(12))))
    scores = task.score(subject, images, None)
    tensor = torch.from_numpy(images.images).permute(0, 3, 1, 2).float() / 255
    for name, classifier in pack_classifiers(PACK).items():
        ordered = [
            sorted(zip(row, classifier.labels, strict=True), reverse=True)
            for row in classifier.scores(tensor).tolist()
        ]
        for k in (1, 3):
            hits = sum(style in [label for _, label in row[:k]] for row in ordered)
            assert scores[f"{name}-top{k}"] == pytest.approx(hits / 12)
    assert 0.3 < scores["clip-top1"] < 0.7


def test_chance_is_one_of_the_styles(task):
    assert task.chance()["clip-top1"] == pytest.approx(1 / len(world.MOVEMENTS))


def test_training_images_are_inspected_one_by_one(task):
    subject = task.subjects()[0]
    seen = task.inspect(subject, task.originals(subject))["own-style"]
    assert len(seen) == 4
    assert set(seen) <= {0.0, 1.0}


def test_exploits_do_not_depend_on_the_judge():
    """Neither on its code nor on its settings; scores depend on both."""
    code = SourceIndex().closure("impress_bench.benchmark.tasks.style_mimicry")
    assert "impress_bench.benchmark.models.fine_tuning" in code
    assert "impress_bench.benchmark.tasks.style_judge" not in code
    assert "impress_bench.benchmark.models.style_classifier" not in code
    (planned,) = make_plan(
        load_preset("quick").override({"tasks": ""}, tasks=["style-mimicry"]), Registry()
    ).tasks
    assert "judging" not in planned.component.parameters
    assert planned.judge.parameters["judging"]["diffusion_images"] == 2
    assert planned.judge.source != planned.component.source


def test_a_wrong_setting_of_the_judge_is_named():
    with pytest.raises(ValidationError, match=r"judging\s.*classifer: Extra inputs"):
        StyleMimicrySettings(judging={"classifer": "clip"})
