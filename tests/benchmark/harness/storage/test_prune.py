"""What a store holds, whether it is sound, and what may be removed from it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from impress_bench.benchmark.commands import store as store_command
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.storage import register as register_module
from impress_bench.benchmark.harness.storage.contents import contents
from impress_bench.benchmark.harness.storage.keys import key_of
from impress_bench.benchmark.harness.storage.prune import prune
from impress_bench.benchmark.harness.storage.register import Register
from impress_bench.benchmark.harness.storage.result import Result
from impress_bench.benchmark.harness.storage.store import Store, StoreError
from impress_bench.benchmark.harness.storage.verify import verify

DAY = 86400.0
#: Objects by letter, how many days ago they were made, and the runs that use them.
OBJECTS = {"a": (40, "old"), "b": (40, "old new"), "c": (9, "new"), "d": (20, ""), "e": (1, "")}
RUNS = {"old": 30, "new": 5}
KEYS = {letter: key_of({"letter": letter}) for letter in OBJECTS}


def days_ago(path, days):
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment))


@pytest.fixture
def store(tmp_path):
    """The objects and runs above, all of which have ended."""
    store = Store(tmp_path / "store")
    for letter, (days, _) in OBJECTS.items():
        store.put(KEYS[letter], {"letter": letter}, Result(record={"n": 0}), 1.0)
        days_ago(store.path(KEYS[letter]), days)
    for run, days in RUNS.items():
        keys = [KEYS[letter] for letter, (_, runs) in OBJECTS.items() if run in runs.split()]
        with Register(store.root).entered(run, f"preset-{run}", tmp_path / run, keys):
            pass
        days_ago(store.root / "runs" / f"{run}.json", days)
    return store


def left(store):
    return "".join(letter for letter, key in KEYS.items() if store.holds(key))


def size(store, letters):
    """As `du` counts."""
    folders = [str(store.path(KEYS[letter])) for letter in letters]
    told = subprocess.run(["du", "-sc", "-B1", *folders], capture_output=True, text=True).stdout
    return int(told.splitlines()[-1].split()[0])


@pytest.mark.parametrize(
    ("options", "removed", "runs"),
    [
        ({}, "de", []),
        ({"keep": ["new"]}, "ade", ["old"]),
        ({"keep": ["old", "new"]}, "de", []),
        ({"older_than": 15 * DAY}, "ad", ["old"]),
        ({"older_than": 7 * DAY}, "ad", ["old"]),
        ({"older_than": 2 * DAY}, "abcd", ["old", "new"]),
        ({"keep": ["old"], "older_than": 7 * DAY}, "cd", ["new"]),
        ({"keep": ["old"], "keep_below": 0}, "cde", ["new"]),
        ({"keep_below": 5}, "d", []),
        ({"keep_below": 4}, "de", []),
        ({"keep_below": 3}, "ade", []),
        ({"keep_below": 0}, "abcde", ["old", "new"]),
        ({"keep_below": 0, "older_than": 15 * DAY}, "ad", ["old"]),
    ],
)
def test_what_goes(store, tmp_path, options, removed, runs):
    if "keep" in options:
        options = options | {"keep": [str(tmp_path / name) for name in options["keep"]]}
    if "keep_below" in options:  # given in objects, all of which are as large; less one byte
        each = size(store, "abcde") // 5
        options = options | {"keep_below": max(0, each * options["keep_below"] - 1)}
    would = prune(store, **options, dry_run=True)
    assert left(store) == "abcde"
    assert len(Register(store.root).entries()) == 2
    found = prune(store, **options)
    assert left(store) == "".join(letter for letter in "abcde" if letter not in removed)
    assert found.removed.objects == len(removed)
    assert sorted(entry.run for entry in found.runs) == sorted(runs)
    assert {e.run for e in Register(store.root).entries()} == {"old", "new"} - set(runs)
    assert (would.removed, would.left, would.runs) == (found.removed, found.left, found.runs)


def test_what_a_running_run_holds_stays(store, tmp_path):
    with Register(store.root).entered("now", "third", tmp_path / "now", [KEYS["a"], KEYS["d"]]):
        found = prune(store, keep_below=0)
        assert left(store) == "ad"
        assert found.held.objects == found.left.objects == 2
        runs = {entry.run: entry.running for entry in Register(store.root).entries()}
        assert runs == {"old": False, "now": True}  # nothing is left of the other
    assert prune(store, keep_below=0).removed.objects == 2


def test_a_killed_run_holds_nothing_and_its_leftovers_go(store, tmp_path):
    holder = """if True:
        import os, sys
        from pathlib import Path
        from impress_bench.benchmark.harness.storage.store import Store
        store = Store(Path(sys.argv[1]), run="killed")
        with store.entered("preset", Path("out"), [sys.argv[2]]):
            (store.root / "tmp" / f"{sys.argv[2]}.unfinished").mkdir()
            store.fail(sys.argv[2], {}, {"state": "failed", "reason": "x", "traceback": ""})
            os.kill(os.getpid(), 9)
    """
    words = [sys.executable, "-c", holder, store.root, KEYS["d"]]
    assert subprocess.run(words, cwd=tmp_path).returncode == -9
    assert not any(entry.running for entry in Register(store.root).entries())
    assert prune(store).leftovers == 2
    assert left(store) == "abcd"  # it has ended, and used what it used
    assert not list((store.root / "tmp").iterdir())
    assert not list((store.root / "failures").iterdir())


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ({}, "abc"),
        ({"older_than": 15 * DAY}, "c"),
        ({"keep": ["new"]}, "bc"),
        ({"dry_run": True}, "abcd"),
    ],
)
def test_states_of_unfinished_stages_go_with_their_runs(store, flags, kept):
    """Of stages that an entered run has left to do they stay, unless they are too old."""
    for letter in "abcd":
        state = store.unfinished(KEYS[letter])
        state.keep("state", 0)
        days_ago(state.folder, {"a": 20, "b": 20, "c": 9, "d": 9}[letter])
    assert contents(store.root).unfinished.objects == 4
    prune(store, **flags)
    names = {path.name for path in (store.root / "unfinished").iterdir()}
    assert "".join(letter for letter, key in KEYS.items() if key in names) == kept


def test_a_run_that_starts_while_objects_are_removed_waits(store, tmp_path):
    entered = threading.Event()

    def start():
        with Register(store.root).entered("late", "p", tmp_path / "late", []):
            entered.set()

    starting = threading.Thread(target=start)
    with Register(store.root).closed():
        starting.start()
        assert not entered.wait(0.3)
    assert entered.wait(10)
    starting.join()


def test_a_run_takes_the_place_of_one_with_the_same_folder(store, tmp_path):
    with Register(store.root).entered("newer", "p", tmp_path / "new", [KEYS["b"]]):
        pass
    assert {entry.run for entry in Register(store.root).entries()} == {"old", "newer"}
    assert prune(store).removed.objects == 3
    assert left(store) == "ab"


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_a_store_that_cannot_be_written(store, tmp_path, monkeypatch, number):
    """One that is read-only serves what it holds; a full one says so before anything is run."""

    def refuse(path, data):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(register_module, "write_atomically", refuse)
    store.run = "reading"
    ran = []
    if number == errno.EROFS:
        with store.entered("p", tmp_path, []):
            ran.append(1)
        assert ran
    else:
        with pytest.raises(StoreError, match="make room"), store.entered("p", tmp_path, []):
            ran.append(1)
        assert not ran


def test_other_files_are_no_runs(store):
    for name, text in {"a": "[]", "b": "{}", "c": "no", "d": '{"keys": 3}'}.items():
        (store.root / "runs" / f"{name}.json").write_text(text)
    assert {entry.run for entry in Register(store.root).entries()} == {"old", "new"}


def test_an_unknown_run_is_named_with_those_that_are_known(store, tmp_path):
    with pytest.raises(ConfigError, match=f"no run nowhere. Known: {tmp_path / 'old'}, "):
        prune(store, keep=["nowhere"])
    assert left(store) == "abcde"


def test_the_shares_of_presets(store):
    found = contents(store.root)
    assert found.all.objects == 5
    assert found.all.bytes == size(store, "abcde")
    assert {name: share.objects for name, share in found.presets.items()} == {
        "preset-old": 2, "preset-new": 2,
    }  # fmt: skip
    assert found.presets["preset-old"].bytes == size(store, "ab")
    assert {name: share.objects for name, share in found.alone.items()} == {
        "preset-old": 1, "preset-new": 1,
    }  # fmt: skip
    assert found.unused.bytes == size(store, "de")


def test_every_broken_file_is_named(store):
    assert not list(verify(store.root))
    (store.path(KEYS["a"]) / "record.json").write_bytes(b"{}")
    (store.path(KEYS["b"]) / "record.json").unlink()
    manifest = store.path(KEYS["c"]) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"c"', '"x"'))
    (store.path(KEYS["d"]) / "manifest.json").write_text("[")
    (store.root / "objects" / "zz" / "stray").mkdir(parents=True)
    found = {broken.file: broken.problem for broken in verify(store.root)}
    assert set(found) == {
        f"objects/{KEYS['a'][:2]}/{KEYS['a']}/record.json",
        f"objects/{KEYS['b'][:2]}/{KEYS['b']}/record.json",
        f"objects/{KEYS['c'][:2]}/{KEYS['c']}/manifest.json",
        f"objects/{KEYS['d'][:2]}/{KEYS['d']}/manifest.json",
        "objects/zz/stray",
    }
    assert found[f"objects/{KEYS['a'][:2]}/{KEYS['a']}/record.json"] == "is not what was written"
    assert "No such file" in found[f"objects/{KEYS['b'][:2]}/{KEYS['b']}/record.json"]


@pytest.fixture
def call(in_process):
    """`impress-bench store …` in this process: exit code, output, complaints."""
    return partial(in_process, "store")


def test_the_command(store, call, tmp_path, monkeypatch):
    place = ("--store", store.root)
    code, output, _ = call("show", *place, "--json")
    shown = json.loads(output)
    assert (code, shown["objects"], shown["unused"]["objects"]) == (0, 5, 2)
    assert shown["presets"]["preset-old"]["alone"]["objects"] == 1
    assert [run["out"] for run in shown["runs"]] == [str(tmp_path / "old"), str(tmp_path / "new")]
    code, output, _ = call("show", *place)
    assert code == 0
    assert f"{store.root}: 5 objects" in output
    assert "preset-new" in output

    assert call("verify", *place)[:2] == (0, f"{store.root}: 5 objects, 0 broken files\n")
    (store.path(KEYS["a"]) / "record.json").write_bytes(b"{}")
    monkeypatch.setattr(store_command, "EVERY_S", -1.0)
    code, output, errors = call("verify", *place)
    assert code == 1
    assert errors.splitlines() == [f"{done} of 5 objects" for done in range(1, 6)]
    assert output.startswith(f"BROKEN objects/{KEYS['a'][:2]}/{KEYS['a']}/record.json: is not")
    code, output, _ = call("verify", *place, "--json")
    assert code == 1
    assert [broken["problem"] for broken in json.loads(output)["broken"]] == [
        "is not what was written"
    ]

    code, output, _ = call("prune", *place, "--dry-run")
    assert (code, left(store)) == (0, "abcde")
    assert output.startswith("would be removed: 2 objects")
    code, output, _ = call("prune", *place, "--keep", tmp_path / "new", "--json")
    assert (code, left(store)) == (0, "bc")
    assert json.loads(output)["removed"]["objects"] == 3
    code, _, errors = call("prune", *place, "--keep-below", "1B", "--older-than", "52w")
    assert (code, left(store)) == (1, "bc")
    assert "--keep-below: still above it" in errors
    assert call("prune", *place, "--keep-below", "0.5 MiB")[0] == 0
    assert left(store) == "bc"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("show", "--store", "/nowhere"), "--store: /nowhere is no store"),
        (("verify", "--store", "/nowhere"), "--store: /nowhere is no store"),
        (("prune", "--older-than", "30"), "'30' is no number with one of the units s, min, h, d"),
        (("prune", "--keep-below", "much"), "'much' is no number"),
        (("prune", "--keep-below", "-1GB"), "'-1GB' is no number"),
    ],
)
def test_usage_errors(call, words, complaint):
    code, _, errors = call(*words)
    assert code == 2
    assert complaint in errors


def executed(bench, out):
    return {key for verb, key in bench.log(out) if verb == "executed"}


def test_what_the_older_of_two_presets_alone_used_is_freed(bench):
    """The rows of the two share originals, controls and the clean row."""
    bench.run(out="old", name="old", protections=["clean", "shift"])
    first = executed(bench, "old")
    bench.run(out="new", name="new", protections=["clean", "tinted"])
    second = {key for _, key in bench.log("new")}
    assert first & second
    assert first - second
    shown = contents(bench.store)
    assert shown.alone["old"].objects == len(first - second)
    assert shown.unused.objects == 0
    assert shown.plugins["protect tinted"].objects == 2
    found = prune(Store(bench.store), keep=[str(bench.tmp_path / "new")])
    assert found.removed.objects == len(first - second)
    bench.run(out="again", name="new", protections=["clean", "tinted"])
    assert not executed(bench, "again")
    bench.run(out="third", name="old", protections=["clean", "shift"])
    assert executed(bench, "third") == first - second


def test_pruning_to_nothing_costs_a_running_run_nothing(command, logged, preset_file, tmp_path):
    out, store = tmp_path / "out", tmp_path / "store"
    words = ("run", "--preset", preset_file, "--out", out, "--store", store, "--workers", 1)
    process = command(*words, FAKE_DELAY="0.2")
    removed = pruned = 0
    while process.poll() is None:
        if len(logged(out)) >= 3:
            removed += prune(Store(store), keep_below=0).removed.objects
            pruned += 1
        time.sleep(0.1)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert pruned > 1
    assert {verb for verb, _ in logged(out)} == {"executed"}
    # After its end it holds nothing.
    assert prune(Store(store), keep_below=0).removed.objects + removed == len(logged(out))
