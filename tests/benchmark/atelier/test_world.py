"""Tests of the procedural art world."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.atelier.world.titles import GRAMMARS, split_of_title

ONE_PER_MOVEMENT = [world.artists(movement=m)[0] for m in world.MOVEMENTS]


@pytest.mark.parametrize("painter", ONE_PER_MOVEMENT, ids=lambda a: a.movement)
def test_painting_is_the_same_in_any_order(painter: world.Artist) -> None:
    first = world.paint(painter, "city", "pretrain", 5)
    world.paint(painter, "portrait", "heldout", 2)
    again = world.paint(painter, "city", "pretrain", 5)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.title == again.title
    assert first.image.shape == (64, 64, 3)
    assert first.image.dtype == np.uint8


def test_index_split_and_artist_change_the_image() -> None:
    first, second = world.artists(movement="photography")[:2]
    images = [
        world.paint(by, "seascape", split, index).image.tobytes()
        for by, split, index in itertools.product((first, second), world.SPLITS, (0, 1))
    ]
    assert len(set(images)) == len(images)


def test_titles_of_splits_are_disjoint() -> None:
    painter = world.artists(role="victim")[0]
    titles = {s: {p.title for p in world.paintings(painter, s, 40)} for s in world.SPLITS}
    for one, other in itertools.combinations(world.SPLITS, 2):
        assert not titles[one] & titles[other]
    assert all(split_of_title(t) == split for split, ts in titles.items() for t in ts)


@pytest.mark.parametrize("subject", world.SUBJECTS)
def test_grammar_is_rich_and_reaches_every_split(subject: str) -> None:
    titles = set(GRAMMARS[subject].titles())
    assert len(titles) >= 400
    shares = Counter(split_of_title(t) for t in titles)
    assert set(shares) == set(world.SPLITS)
    assert shares["pretrain"] > 0.5 * len(titles)
    assert min(shares.values()) >= 20


def test_split_of_a_title_is_stable() -> None:
    title = "a red house by a river at dusk"
    bucket = int.from_bytes(hashlib.sha256(title.encode()).digest()[:8], "big") % 100
    expected = next(
        s for s, end in zip(world.SPLITS, (60, 70, 85, 100), strict=True) if bucket < end
    )
    assert split_of_title(title) == expected


def test_roles() -> None:
    assert len(world.MOVEMENTS) == 17
    assert world.MOVEMENTS[-1] == "photography"
    assert len({a.name for a in world.ARTISTS}) == len(world.ARTISTS)
    victims, validation = world.artists(role="victim"), world.artists(role="validation")
    assert len(victims) == len({a.movement for a in victims}) == 8
    assert len(validation) == len({a.movement for a in validation}) == 5
    reserved = {a.movement for a in (*victims, *validation)}
    assert len(reserved) == 13
    assert not reserved & {"photography", "engraving"}  # the photos', and the target of GLAZE
    for movement in world.MOVEMENTS:
        assert len(world.artists(movement=movement)) >= 4
        assert len(world.artists(role="pretrain", movement=movement)) >= 3


def test_artist_by_name() -> None:
    known = world.ARTISTS[0]
    assert world.artist(known.name) is known
    with pytest.raises(ValueError, match=known.name):
        world.artist(known.name[:-1])


def test_bad_requests_are_refused() -> None:
    painter = world.ARTISTS[0]
    with pytest.raises(ValueError, match="subject"):
        world.paint(painter, "ceiling", "pretrain", 0)
    with pytest.raises(ValueError, match="split"):
        world.paint(painter, "city", "test", 0)
    with pytest.raises(ValueError, match="index"):
        world.paint(painter, "city", "pretrain", -1)


def test_head_mask_is_of_portraits_only() -> None:
    for painter in ONE_PER_MOVEMENT:
        for painting in world.paintings(painter, "heldout", 5):
            if painting.subject != "portrait":
                assert painting.head_mask is None
                assert painting.background is None
                continue
            assert painting.background in world.BACKGROUNDS
            assert painting.title.endswith(painting.background)
            assert painting.head_mask is not None
            assert painting.head_mask.shape == (64, 64)
            assert painting.head_mask.dtype == np.bool_
            assert 0.03 <= painting.head_mask.mean() <= 0.40


def test_photographed_head_stands_out_within_its_mask() -> None:
    painter = world.artists(movement="photography")[0]
    for index in range(6):
        painting = world.paint(painter, "portrait", "evaluation", index)
        assert painting.head_mask is not None
        rows, columns = np.nonzero(painting.head_mask)
        # One blob that no border cuts off: the head is wholly in view.
        assert 0 < columns.min() <= columns.max() < 63
        assert rows.max() < 63


def test_paintings_cycle_and_continue() -> None:
    painter = world.ARTISTS[0]
    run = world.paintings(painter, "pretrain", 7)
    assert [p.subject for p in run] == [world.SUBJECTS[i % 5] for i in range(7)]
    tail = world.paintings(painter, "pretrain", 2, start=5)
    assert [p.image.tobytes() for p in tail] == [p.image.tobytes() for p in run[5:]]


def test_no_near_duplicates_between_finetune_and_evaluation() -> None:
    for victim in world.artists(role="victim"):
        seen = np.stack([p.image for p in world.paintings(victim, "finetune", 20)])
        unseen = np.stack([p.image for p in world.paintings(victim, "evaluation", 20)])
        assert world.near_duplicates(seen, unseen) == []


def test_near_duplicates_finds_a_noisy_copy() -> None:
    images = np.stack([p.image for p in world.paintings(world.ARTISTS[0], "pretrain", 5)])
    noise = np.random.default_rng(0).normal(0, 6, images.shape)
    copies = np.clip(images[::-1] * 0.9 + noise, 0, 255).astype(np.uint8)
    assert world.near_duplicates(images, copies) == [(i, 4 - i) for i in range(5)]
    assert world.near_duplicates(images[:0], copies) == []


def test_vocabulary_covers_all_titles() -> None:
    words = world.vocabulary()
    assert list(words) == sorted(set(words))
    assert len(words) <= 200
    assert all(w == w.lower() for w in words)
    spoken = {w for g in GRAMMARS.values() for t in g.titles() for w in t.split()}
    assert spoken == set(words)


def test_gallery_is_written(tmp_path: Path) -> None:
    target = tmp_path / "gallery.png"
    world.gallery(target, movements=world.MOVEMENTS[:2], subjects=world.SUBJECTS[:2])
    assert target.stat().st_size > 10_000
