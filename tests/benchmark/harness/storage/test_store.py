import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.harness.storage.image_codec import check, from_tensor, to_tensor
from impress_bench.benchmark.harness.storage.keys import key_of
from impress_bench.benchmark.harness.storage.result import Result
from impress_bench.benchmark.harness.storage.store import Store, StoreError, default_root

INPUTS = {"stage": "protect", "n": 1}
KEY = key_of(INPUTS)


def image_set(masks=True):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3)).astype(np.uint8)
    mask = pixels[..., 0] > 100 if masks else None
    return ImageSet(pixels, ("a hill", "ü"), ("A hill", "Ü"), mask)


@pytest.fixture
def told():
    return []


@pytest.fixture
def store(tmp_path, told):
    store = Store(tmp_path / "store", told.append)
    store.put(KEY, INPUTS, Result(image_set(), {"linf": [0.1]}), 1.5)
    return store


def test_round_trip(store):
    images, record = store.get(KEY)
    assert np.array_equal(images.images, image_set().images)
    assert np.array_equal(images.masks, image_set().masks)
    assert (images.names, images.titles) == (image_set().names, image_set().titles)
    assert record == {"linf": [0.1]}
    assert store.find(KEY).seconds == 1.5


def test_manifest_explains_the_object(store):
    manifest = json.loads((store.path(KEY) / "manifest.json").read_text())
    assert manifest["inputs"] == INPUTS
    assert "images/ü.png" in manifest["files"]
    assert not list((store.root / "tmp").iterdir())


def test_unknown_key_is_none(store, told):
    assert store.get("0" * 64) is None
    assert not told


def test_which_of_many_keys_are_held(store):
    other, unfinished = key_of({"n": 2}), key_of({"n": 3})
    store.put(other, {"n": 2}, Result(record={}), 1.0)
    store.path(unfinished).mkdir(parents=True)
    assert store.held({KEY, unfinished, "0" * 64}) == {KEY}
    assert store.held({}) == set()


@pytest.mark.parametrize("name", ["images/ü.png", "meta.json", "record.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_damage_is_noticed_and_told_once(store, told, name, damage):
    path = store.path(KEY) / name
    data = path.read_bytes()
    if damage == "remove":
        path.unlink()
    elif damage == "truncate":
        path.write_bytes(data[: len(data) // 2])
    else:
        at = data.find(b'"protect"') + 2 if name == "manifest.json" else len(data) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert store.find(KEY) is None
    assert store.get(KEY) is None
    assert len(told) == 1
    assert told[0].startswith(f"damaged {KEY}")


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EACCES])
def test_what_cannot_be_read_is_not_damaged(store, told, monkeypatch, number):
    """It may be sound, whoever's it is: neither is it removed nor a result made for nothing."""
    read = Path.read_bytes

    def fail(path):
        if path.name == "record.json":
            raise OSError(number, os.strerror(number), str(path))
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        for ask in (store.find, store.get):
            with pytest.raises(StoreError, match=rf"{os.strerror(number)} \(.*record.json\)"):
                ask(KEY)
        with pytest.raises(StoreError, match="have its owner" if number == errno.EACCES else "see"):
            store.put(KEY, INPUTS, Result(record={"linf": [9.0]}), 1.0)
    assert not told
    assert store.get(KEY).record == {"linf": [0.1]}
    assert not list((store.root / "tmp").iterdir())


def test_put_replaces_damage_but_keeps_what_is_sound(store):
    store.put(KEY, INPUTS, Result(record={"linf": [9.0]}), 1.0)
    assert store.get(KEY).record == {"linf": [0.1]}
    (store.path(KEY) / "record.json").write_text("{}")
    store.put(KEY, INPUTS, Result(record={"linf": [9.0]}), 1.0)
    assert store.get(KEY).record == {"linf": [9.0]}


def test_other_writer_wins_the_rename(store, monkeypatch):
    """Both found nothing, both wrote; the second rename meets the first one's folder."""
    found = store.find
    answers = iter([None])
    monkeypatch.setattr(store, "find", lambda key: next(answers, found(key)))
    monkeypatch.setattr(store, "discard", lambda key: None)
    store.put(KEY, INPUTS, Result(record={"linf": [9.0]}), 1.0)
    assert found(KEY).record() == {"linf": [0.1]}


def test_key_of_another_object_is_damage(store, told):
    other = key_of({"n": 2})
    store.path(other).parent.mkdir(exist_ok=True)
    store.path(KEY).rename(store.path(other))
    assert store.find(other) is None
    assert "belongs to another key" in told[0]


def test_failures_are_noted_but_never_found(store):
    key = key_of({"n": 3})
    store.fail(key, {"n": 3}, {"state": "failed", "reason": "no paint"})
    assert store.find(key) is None
    path = store.root / "failures" / f"{key}.json"
    assert json.loads(path.read_text())["reason"] == "no paint"
    store.put(key, {"n": 3}, Result(record={}), 0.0)
    assert not path.exists()


def test_a_failure_counts_for_the_run_that_it_happened_in(tmp_path):
    key = key_of({"n": 4})
    failure = {"state": "failed", "reason": "no paint", "traceback": ""}
    Store(tmp_path, run="one").fail(key, {"n": 4}, failure)
    assert Store(tmp_path, run="one").failure(key)["reason"] == "no paint"
    assert Store(tmp_path, run="two").failure(key) is None
    Store(tmp_path).fail(key, {"n": 4}, failure)
    assert Store(tmp_path).failure(key) is None


def test_lock_excludes_and_clears_leftovers(store):
    leftover = store.root / "tmp" / f"{KEY}.killed"
    leftover.mkdir()
    other = Store(store.root)
    with store.lock(KEY) as mine:
        assert mine
        assert not leftover.exists()
        with other.lock(KEY) as theirs:
            assert not theirs
        with other.lock("another") as theirs:
            assert theirs
    with other.lock(KEY) as theirs:
        assert theirs


def test_a_lock_ends_with_its_process_whatever_children_that_leaves(store):
    holder = """if True:
        import os, sys, time
        from pathlib import Path
        from impress_bench.benchmark.harness.storage.store import Store
        with Store(Path(sys.argv[1])).lock(sys.argv[2]) as mine:
            assert mine
            if os.fork():
                os.kill(os.getpid(), 9)
            print(os.getpid(), flush=True)
            time.sleep(60)
    """
    words = [sys.executable, "-c", holder, store.root, KEY]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        try:
            assert process.wait() == -9
            with store.lock(KEY) as mine:
                assert mine
        finally:
            os.kill(child, 9)


def test_default_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("IMPRESS_BENCH_STORE", str(tmp_path / "here"))
    assert default_root() == tmp_path / "here"
    monkeypatch.delenv("IMPRESS_BENCH_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "impress-bench"


def test_tensors_keep_every_level():
    clean = image_set()
    back = from_tensor(to_tensor(clean), clean)
    assert np.array_equal(back.images, clean.images)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda x: x * 0.9, "not rounded"),
        (lambda x: x * float("nan"), "NaN"),
        (lambda x: x + 1, r"range \[0, 1\]"),
        (lambda x: x[:1], "shape"),
        (lambda x: x.numpy(), "must be a tensor"),
    ],
)
def test_tensors_that_are_no_images_are_refused(spoil, complaint):
    clean = image_set()
    with pytest.raises(ValueError, match=complaint):
        from_tensor(spoil(to_tensor(clean)), clean)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"names": ("a", "a")}, "different names"),
        ({"names": ("../a", "b")}, "file name"),
        ({"titles": ("one",)}, "1 titles"),
        ({"masks": np.ones((2, 6, 5))}, "masks must be bool"),
        ({"images": np.zeros((2, 6, 5, 3))}, "uint8"),
    ],
)
def test_image_sets_that_break_their_promise_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        check(replace(image_set(), **change))
