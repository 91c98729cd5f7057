"""`kill -9` at twenty random moments: what had finished is not done again, boards are the same."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

TRIALS, AT_LEAST = 20, 10


def manifests(store):
    return {path.parent.name: path.read_bytes() for path in store.glob("objects/*/*/manifest.json")}


def boards(out):
    return {path.name: path.read_bytes() for path in sorted((out / "boards").iterdir())}


def test_twenty_random_kills(command, preset_file, tmp_path):
    def start(name):
        out, store = tmp_path / name, tmp_path / f"{name}-store"
        words = ("--preset", preset_file, "--out", out, "--store", store, "--quiet")
        return command("run", *words, "--workers", 1, FAKE_DELAY="0.05"), out, store

    process, plain, store = start("plain")
    assert process.wait(60) == 0
    whole = manifests(store)

    def trial(number, count, moment):
        """Whether the kill, so long after so many finished stages, fell inside the run."""
        process, _, store = start(f"trial-{number}")
        while process.poll() is None and len(manifests(store)) < count:
            time.sleep(0.01)
        time.sleep(moment)
        process.kill()
        process.communicate()
        finished = manifests(store)
        process, out, _ = start(f"trial-{number}")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        after = manifests(store)
        assert {key: after[key] for key in finished} == finished
        assert after.keys() == whole.keys()
        assert boards(out) == boards(plain)
        return 0 < len(finished) < len(whole)

    draw = random.Random(0)
    counts = [draw.randrange(len(whole)) for _ in range(TRIALS)]
    moments = [draw.uniform(0, 0.1) for _ in range(TRIALS)]
    with ThreadPoolExecutor(2) as pool:
        inside = list(pool.map(trial, range(TRIALS), counts, moments))
    assert sum(inside) >= AT_LEAST
