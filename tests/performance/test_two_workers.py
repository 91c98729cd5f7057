"""How much sooner two one-thread workers are done with equal stages than one, start-up left out.

The ratio goes into `extra_info`, beside what tells whether the machine was free to show it: the
share of a core that a working worker got, and the share of the time that workers worked at all. On
cores that others want too the first falls and the ratio with it; the second is the executor's own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.speed

TESTS = Path(__file__).parent.parent
TURNS = 6

ENTRY_POINTS = """
[impress_bench.models]
tiny = fake_world:load_tiny
[impress_bench.tasks]
copying = fake_world:Copying
[impress_bench.protections]
toil = toil:Toil
"""

PRESET = f"""
title = "Equal stages"
tasks = ["copying"]
protections = {[f"toil[turn={turn}]" for turn in range(1, TURNS + 1)]}
purifiers = ["none"]
subjects = 1
threads = 1
inspections = false

[models]
protection = "tiny"
purifier = "tiny"
target = "tiny"
"""


@pytest.fixture
def site(tmp_path):
    """A folder for PYTHONPATH with the pretended plugins."""
    folder = tmp_path / "site"
    info = folder / "toil-1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(TESTS / "benchmarks" / "site" / "toil.py", folder)
    shutil.copy(TESTS / "benchmark" / "harness" / "site" / "fake_world.py", folder)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (info / "top_level.txt").write_text("toil\nfake_world\n")
    return folder


@contextmanager
def local(workers):
    """The options that make so many workers, processes of this machine."""
    yield ("--workers", str(workers))


@contextmanager
def ray(workers):
    """The same by a cluster of so many nodes."""
    from ray.cluster_utils import Cluster

    nodes = Cluster()
    try:
        for _ in range(workers):
            nodes.add_node(num_cpus=1)
        yield ("--executor", "ray", "--address", nodes.address)
    finally:
        nodes.shutdown()


@pytest.fixture
def toil(site, tmp_path, monkeypatch):
    """Runs the stages; returns the seconds from the first turn's beginning to the last stage's end,
    and the two shares."""
    folder = tempfile.mkdtemp(prefix="ray-")  # its sockets' paths are too long in `tmp_path`
    monkeypatch.setenv("RAY_TMPDIR", folder)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "equal.toml").write_text(PRESET)

    def work(executor, workers):
        out = tmp_path / str(workers)
        out.mkdir()
        monkeypatch.setenv("TOIL", str(out))
        monkeypatch.setenv("TOIL_WORKERS", str(workers))
        main = "from impress_bench.benchmark.cli import main; main()"
        words = ("run", "--preset", tmp_path / "equal.toml", "--out", out, "--quiet")
        with executor(workers) as options:
            command = [sys.executable, "-c", main, *words, "--store", out / "store", *options]
            subprocess.run(command, check=True, timeout=300)
        turns = [json.loads(line) for line in (out / "turns").read_text().splitlines()]
        assert len(turns) == TURNS
        assert len(list(out.glob("*.there"))) == workers
        # A run writes the last line of its log when its last stage is done.
        seconds = (out / "log.txt").stat().st_mtime - min(turn["began"] for turn in turns)
        worked = sum(turn["wall"] for turn in turns)
        return seconds, sum(turn["cpu"] for turn in turns) / worked, worked / seconds / workers

    yield work
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("executor", [local, ray])
def test_two_workers(benchmark, toil, executor):
    if executor is ray:
        pytest.importorskip("ray")
    benchmark.extra_info["load_before"] = os.getloadavg()[0]
    one = toil(executor, 1)
    two = benchmark.pedantic(toil, (executor, 2), rounds=1)
    benchmark.extra_info["speedup"] = one[0] / two[0]
    for name, (seconds, share_of_core, share_of_time) in (("one", one), ("two", two)):
        benchmark.extra_info[name] = {
            "seconds": seconds,
            "share_of_a_core": share_of_core,
            "share_of_time_at_work": share_of_time,
        }
