"""Style mimicry: what is learned from, what is painted, how it is judged."""

import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import PACK, world
from impress_bench.benchmark.contract import ImageSet, PluginError
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.plugins.source_digest import SourceIndex
from impress_bench.benchmark.models.style_classifier import pack_classifiers
from impress_bench.benchmark.tasks.style_judge import JudgeSettings, StyleJudge
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
    assert len(validation) == 5
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


def test_adapters_learn_where_a_rank_is_set(task):
    model, subject = load_model("atelier"), task.subjects()[0]
    originals = task.originals(subject)
    low = StyleMimicry(task.settings.model_copy(update={"fine_tuning_lora_rank": 2}))
    assert not np.array_equal(
        low.exploit(subject, originals, model, 7, silent).images,
        task.exploit(subject, originals, model, 7, silent).images,
    )


def test_without_peft_no_rank_is_planned_for(task, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    assert task.subjects()
    low = StyleMimicry(task.settings.model_copy(update={"fine_tuning_lora_rank": 2}))
    told = r"fine_tuning_lora_rank needs peft: pip install 'impress-bench\[lora\]'"
    with pytest.raises(PluginError, match=told):
        low.subjects()


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


def test_own_works_are_nearer_than_another_artist_s(task):
    """Works that nobody learned from: their scores say so, those of a stranger say the opposite."""
    subject, stranger = task.subjects()[:2]
    near, far = (
        task.score(
            subject, ImageSet(np.stack([w.image for w in works]), tuple(map(str, range(9)))), None
        )
        for works in (
            world.paintings(world.artist(a), "evaluation", 9) for a in (subject, stranger)
        )
    )
    assert set(near) == {metric.name for metric in task.metrics}
    for name in ("clip-margin", "clip-centroid"):
        assert near[name] > 0 > far[name]
    assert abs(near["clip-distance"]) < 1 < far["clip-distance"]


def test_chance_is_one_of_the_styles(task):
    assert task.chance()["clip-top1"] == pytest.approx(1 / len(world.MOVEMENTS))


def test_training_images_are_inspected_one_by_one(task):
    subject = task.subjects()[0]
    own, (other, *_) = task.originals(subject), task.subjects()[1:]
    seen = task.inspect(subject, own, task.originals(other))
    assert len(seen["own-style"]) == len(seen["own-style-decoded"]) == 4
    assert sum(seen["own-style"]) > sum(seen["own-style-decoded"])


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


LABELS = ("impressionism", "cubism", "woodcut")


def no_works(artist):
    raise AssertionError(f"nobody asks for works of {artist}")


def test_any_open_clip_model_may_judge(open_clip_folder):
    """Against its model called by hand: resized, normalised, compared with each label's text."""
    import open_clip

    judge = StyleJudge(JudgeSettings(clip=str(open_clip_folder), labels=LABELS), no_works)
    alone = {"clip-top1", "clip-top3", "clip-margin", "clip-distance"}
    assert {metric.name for metric in judge.metrics(rivals=False)} == alone
    assert {metric.name for metric in judge.metrics(rivals=True)} == alone | {"clip-centroid"}
    assert judge.chance()["clip-top1"] == pytest.approx(1 / 3)
    works = world.paintings(world.artists("validation")[0], "heldout", 4)
    images = np.stack([work.image for work in works])
    model = open_clip.create_model(f"local-dir:{open_clip_folder}").eval()
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    pixels = torch.nn.functional.interpolate(
        pixels, (32, 32), mode="bicubic", antialias=True
    ).round().clamp(0, 255) / 255  # fmt: skip
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]))
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    with torch.no_grad():
        seen = torch.nn.functional.normalize(model.encode_image((pixels - mean) / std), dim=-1)
        told = torch.nn.functional.normalize(model.encode_text(tokenizer(list(LABELS))), dim=-1)
    best = (seen @ told.T).argmax(dim=1).tolist()
    for at, label in enumerate(LABELS):
        expected = [float(found == at) for found in best]
        assert judge.recognised(label, images) == expected


def test_labels_go_with_the_clip_that_chooses_among_them(open_clip_folder):
    with pytest.raises(ValidationError, match="needs labels"):
        JudgeSettings(clip=str(open_clip_folder))
    with pytest.raises(ValidationError, match="has labels of its own"):
        JudgeSettings(labels=LABELS)


def test_weights_that_need_unpickling_do_not_judge(tmp_path):
    (tmp_path / "open_clip_pytorch_model.bin").write_bytes(b"")
    with pytest.raises(OSError, match="no safetensors weights"):
        StyleJudge(JudgeSettings(clip=str(tmp_path), labels=LABELS), no_works).recognised(
            "cubism", np.zeros((1, 8, 8, 3), np.uint8)
        )


def test_the_judge_s_files_are_part_of_scores_and_not_of_exploits(open_clip_folder):
    preset = load_preset("quick").override({}, tasks=["style-mimicry"])
    settings = preset.settings.model_dump()
    judging = {"clip": str(open_clip_folder), "labels": list(world.MOVEMENTS)}
    settings["tasks"]["style-mimicry"]["judging"] = judging
    (planned,) = make_plan(preset.override({}, settings=settings), Registry()).tasks
    assert list(planned.judge.files) == [f"judging.clip {open_clip_folder}"]
    assert not planned.component.files
