"""`kill -9` at twenty random moments: what had finished is not done again, boards are the same."""

from __future__ import annotations

import random
import time

TRIALS, AT_LEAST = 20, 10


def manifests(store):
    return {path.parent.name: path.read_bytes() for path in store.glob("objects/*/*/manifest.json")}


def boards(out):
    return {path.name: path.read_bytes() for path in sorted((out / "boards").iterdir())}


def test_twenty_random_kills(command, preset_file, tmp_path):
    def start(name):
        out, store = tmp_path / name, tmp_path / f"{name}-store"
        words = ("--preset", preset_file, "--out", out, "--store", store, "--quiet")
        return command("run", *words, "--workers", 2, FAKE_DELAY="0.05"), out, store

    began = time.monotonic()
    process, plain, store = start("plain")
    assert process.wait(60) == 0
    duration = time.monotonic() - began
    whole = manifests(store)
    draw = random.Random(0)
    inside = 0
    for trial in range(TRIALS):
        process, out, store = start(f"trial-{trial}")
        time.sleep(draw.uniform(0.2, 1.0) * duration)
        process.kill()
        process.communicate()
        finished = manifests(store)
        inside += 0 < len(finished) < len(whole)

        process, out, store = start(f"trial-{trial}")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        after = manifests(store)
        assert {key: after[key] for key in finished} == finished
        assert after.keys() == whole.keys()
        assert boards(out) == boards(plain)
    assert inside >= AT_LEAST
