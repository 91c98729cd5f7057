"""Artists of one's own: what is read, what is refused, what their folder decides."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.datasets.artworks import ArtworkFolder
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.spec import parse_spec
from impress_bench.benchmark.tasks.style_mimicry import StyleMimicry, StyleMimicrySettings

NOWHERE = "nobody/has-this-captioner"


def source(folder, works=4, captioner=NOWHERE):
    return ArtworkFolder(folder, works, 32, captioner)


def say(folder, *entries):
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in entries))


def test_works_are_learned_from_and_the_others_give_titles(artworks):
    artists = source(artworks)
    assert artists.names() == ("Ben Öst", "ada-mill")
    assert [artists.style_of(name) for name in artists.names()] == ["mosaic", "cubism"]
    subject = artists.subject("ada-mill")
    assert subject.works.images.shape == (4, 32, 32, 3)
    assert subject.held_out.images.shape == (3, 32, 32, 3)
    assert not set(subject.works.titles) & set(subject.held_out.titles)
    names = (*subject.works.names, *subject.held_out.names)
    assert sorted(names) == [f"work {at}" for at in range(7)]
    # Each image goes with its own title, which ends in its number.
    assert all(
        name.split()[1] == title.split()[-1]
        for part in (subject.works, subject.held_out)
        for name, title in zip(part.names, part.titles, strict=True)
    )


def test_the_middle_of_a_work_is_shown(tmp_path):
    for at in range(2):
        pixels = np.zeros((32, 96, 3), np.uint8)
        pixels[:, 32:64] = 200
        (tmp_path / "ada").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "ada" / f"{at}.png")
    say(tmp_path / "ada", *[
        {"file_name": f"{at}.png", "title": f"number {at}", "movement": "cubism"} for at in range(2)
    ])  # fmt: skip
    assert (source(tmp_path, works=1).subject("ada").works.images == 200).all()


def test_metadata_may_lie_above_the_artists(artworks):
    entries = []
    for artist in ("ada-mill", "Ben Öst"):
        own = artworks / artist / "metadata.jsonl"
        entries += [json.loads(line) for line in own.read_text().splitlines()]
        for entry in entries[-7:]:
            entry["file_name"] = f"{artist}/{entry['file_name']}"
        own.unlink()
    before = source(artworks)
    say(artworks, *entries)
    assert before.style_of("ada-mill") == "cubism"
    assert len(set(before.subject("ada-mill").works.titles)) == 4


def drop_titles(folder):
    say(folder / "ada-mill", {"file_name": "work 0.png", "movement": "cubism"})


def unequal_movements(folder):
    say(folder / "ada-mill", *[
        {"file_name": "work 0.png", "movement": movement, "title": movement}
        for movement in ("cubism",)
    ], {"file_name": "work 1.jpg", "movement": "mosaic"})  # fmt: skip


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (shutil.rmtree, "cannot be read as a folder"),
        (lambda f: [shutil.rmtree(one) for one in f.iterdir()], "it needs one an artist"),
        (lambda f: (f / "ada-mill" / "work 0.png").unlink(), "'work 0.png' is not there"),
        (lambda f: say(f / "ada-mill"), "has no movement; say it in metadata.jsonl"),
        (lambda f: (f / "ada-mill" / "metadata.jsonl").write_text("{"), "line 1: is no JSON"),
        (lambda f: say(f / "ada-mill", {"title": "a"}), "line 1: is no JSON object with a file_n"),
        (drop_titles, "7 works without a title.*hf download nobody/has-this-captioner"),
        (unequal_movements, "more than one movement: cubism, mosaic"),
        (
            lambda f: shutil.copy(f / "ada-mill" / "work 0.png", f / "ada-mill" / "work 0.jpg"),
            "would have one name",
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_before_anything_runs(artworks, harm, told):
    harm(artworks)
    with pytest.raises(PluginError, match=told):
        source(artworks).names()


def test_too_few_works_are_refused(artworks):
    with pytest.raises(PluginError, match="holds 7 images; 7 are learned from"):
        source(artworks, works=7).names()


def test_a_broken_image_is_named(artworks):
    (artworks / "ada-mill" / "work 2.png").write_bytes(b"no image")
    with pytest.raises(PluginError, match=r"work 2\.png: no image format"):
        source(artworks).subject("ada-mill")


def test_titles_that_were_learned_are_not_held_out(artworks):
    say(artworks / "ada-mill", *[
        {"file_name": path.name, "title": "again", "movement": "cubism"}
        for path in (artworks / "ada-mill").glob("work*")
    ])  # fmt: skip
    with pytest.raises(PluginError, match="no title that is not among those learned"):
        source(artworks).subject("ada-mill")


def test_works_without_a_title_are_captioned_where_the_captioner_is(artworks, captioner):
    text = (artworks / "ada-mill" / "metadata.jsonl").read_text()
    said = [json.loads(line) for line in text.splitlines()]
    for entry in said[:3]:
        del entry["text"]
    say(artworks / "ada-mill", *said)
    artists = source(artworks, captioner=captioner)
    assert artists.names()
    subject = artists.subject("ada-mill")
    titles = dict(zip(subject.works.names, subject.works.titles, strict=True))
    titles |= dict(zip(subject.held_out.names, subject.held_out.titles, strict=True))
    known = {entry["file_name"].split(".")[0]: entry["text"] for entry in said[3:]}
    assert titles.items() >= {k: v for k, v in known.items() if k in titles}.items()
    made = [titles[f"work {at}"] for at in range(3) if f"work {at}" in titles]
    assert made
    assert all(
        set(title.split()) <= {"a", "painting", "of", "sea", "sky", "tree"} for title in made
    )


def settings(folder, **more):
    return StyleMimicrySettings(
        artworks=str(folder), resolution=64, works=4, samples=2, fine_tuning_steps=1,
        fine_tuning_batch=2, sampling_steps=2, guidance_scale=1.0, captioner=NOWHERE, **more,
    )  # fmt: skip


def test_the_task_exploits_and_judges_them(artworks):
    task, model = StyleMimicry(settings(artworks)), load_model("atelier")
    first = task.subjects()[0]
    made = task.exploit(first, task.originals(first), model, 0, lambda done, total: None)
    assert made.images.shape == (2, 64, 64, 3)
    assert set(task.score(first, made, None)) == {metric.name for metric in task.metrics}
    own = task.exploit(first, task.originals(first), model, 0, lambda *_: None, "own-works")
    assert len(own.images) == 3


def test_without_another_style_there_is_no_such_control(artworks):
    shutil.rmtree(artworks / "Ben Öst")
    task = StyleMimicry(settings(artworks))
    with pytest.raises(PluginError, match="no artist whose style is not cubism") as caught:
        task.exploit("ada-mill", task.originals("ada-mill"), None, 0, print, "other-movement")
    assert caught.value.state is State.SKIPPED


def test_a_movement_that_the_judge_does_not_know_is_refused(artworks):
    text = (artworks / "ada-mill" / "metadata.jsonl").read_text()
    (artworks / "ada-mill" / "metadata.jsonl").write_text(text.replace("cubism", "kubism"))
    with pytest.raises(PluginError, match="no movement 'kubism'; did you mean cubism"):
        StyleMimicry(settings(artworks)).subjects()


def test_what_is_in_the_folder_decides_the_key(artworks):
    def identity():
        given = {"tasks": {"style-mimicry": {"artworks": str(artworks), "works": 4}}}
        return Registry().resolve("tasks", parse_spec("style-mimicry"), given).identity()

    before = identity()
    assert identity() == before
    with Image.open(artworks / "ada-mill" / "work 0.png") as picture:
        picture.rotate(180).save(artworks / "ada-mill" / "work 0.png")
    assert identity() != before
