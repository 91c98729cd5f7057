"""A pretended third-party distribution on `sys.path`, and ways to run the benchmark with it."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest
from forks import FORKING, Forked

from impress_bench.benchmark import signals
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.run import run
from impress_bench.benchmark.harness.stages import protect
from impress_bench.leaderboard import write

SOURCE = Path(__file__).parent / "site"

ENTRY_POINTS = """
[impress_bench.models]
tiny = fake_world:load_tiny
other = fake_world:load_other
third = fake_world:load_third
again = fake_world:load_again

[impress_bench.tasks]
copying = fake_world:Copying
crowded = fake_world:Crowded

[impress_bench.protections]
clean = fake_plugins:Clean
shift = fake_plugins:Shift
hungry = fake_plugins:Hungry
matched = fake_plugins:Matched
careless = fake_plugins:Careless
loud = fake_plugins:Loud
miscounting = fake_plugins:Miscounting
filed = fake_plugins:Filed
tinted = fake_plugins:Tinted
selfish = fake_plugins:Selfish
not-a-number = fake_plugins:NotANumber
unrounded = fake_plugins:Unrounded
raising = fake_plugins:Raising
unbuildable = fake_plugins:Unbuildable
choosy = fake_plugins:Choosy
endless = fake_plugins:Endless
mortal = fake_plugins:Mortal
slow = fake_plugins:Slow
crash = fake_crash:Crash
absent = fake_absent:Absent
misnamed = fake_plugins:Misnamed

[impress_bench.adaptations]
halved = fake_plugins:Halving
joined = fake_plugins:Joined

[impress_bench.metrics]
gap = fake_plugins:Gap
brightness = fake_plugins:Brightness
wording = fake_plugins:Wording
short = fake_plugins:Short
torn = fake_plugins:Torn
odd = fake_plugins:Clean
drift = fake_plugins:Drift
faraway = fake_plugins:Faraway
crowd = fake_plugins:Crowd

[impress_bench.purifiers]
keep = fake_plugins:Keep
smooth = fake_plugins:Smooth
noting = fake_plugins:Noting
bleach = fake_plugins:Bleach
"""

PRESET = """
title = "A fake matrix"
tasks = ["copying"]
protections = ["clean", "shift"]
purifiers = ["keep", "smooth"]
subjects = 2
threads = 1
inspections = false
isolate = false

[models]
protection = "tiny"
purifier = "tiny"
target = "tiny"
"""


def install(
    folder: Path,
    name: str,
    entry_points: str = "",
    version: str = "1.0",
    modules: Sequence[str] = ("fake_plugins", "fake_helper", "fake_world"),
    requires: Sequence[str] = (),
) -> Path:
    """Write the metadata of a distribution into a folder on `sys.path`."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    fields = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    fields += [f"Requires-Dist: {requirement}" for requirement in requires]
    (info / "METADATA").write_text("\n".join(fields) + "\n")
    (info / "entry_points.txt").write_text(entry_points)
    (info / "top_level.txt").write_text("\n".join(modules))
    return info


def forget_fakes():
    for name in [name for name in sys.modules if name.startswith("fake_")]:
        del sys.modules[name]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The folder with the pretended distribution, first on the path."""
    folder = tmp_path / "site"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    install(folder, "fake-plugins", ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(folder))
    forget_fakes()
    yield folder
    forget_fakes()


@pytest.fixture
def preset_file(tmp_path):
    path = tmp_path / "fake.toml"
    path.write_text(PRESET)
    return path


class Bench:
    """Runs the fake preset in this process, with some values replaced."""

    def __init__(self, preset_file: Path, tmp_path: Path):
        self.preset_file = preset_file
        self.tmp_path = tmp_path
        self.store = tmp_path / "store"

    def preset(self, **values):
        return load_preset(self.preset_file).override({}, **values)

    def run(self, out="run", store=None, **values):
        return run(self.preset(**values), self.tmp_path / out, store or self.store, workers=1)

    def log(self, out="run"):
        return log_lines(self.tmp_path / out)


@pytest.fixture(scope="session")
def distances():
    """LPIPS by the images that it was measured of: most tests protect the same ones alike."""
    known, measure = {}, protect._lpips

    def measured(clean, images):
        pair = clean.images, images.images
        key = tuple((one.shape, one.tobytes()) for one in pair)
        if key not in known:
            known[key] = measure(clean, images)
        return list(known[key])

    return measured


@pytest.fixture
def bench(site, preset_file, tmp_path, distances, monkeypatch):
    """Runs without plots, which take longer to draw than such a run; commands draw theirs."""
    monkeypatch.setattr(protect, "_lpips", distances)
    monkeypatch.setattr(write, "plot_inconsistency", lambda *tables: False)
    monkeypatch.setattr(write, "plot_tradeoff", lambda *tables: {})
    monkeypatch.setattr(write, "plot_shares", lambda *tables: {})
    return Bench(preset_file, tmp_path)


@pytest.fixture
def registry(site):
    return Registry()


def log_lines(out: Path) -> list[tuple[str, str]]:
    """Verb and key of every stage line of a run's log."""
    path = out / "log.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    verbs = ("executed", "reused", "skipped", "failed", "blocked", "damaged")
    pairs = [line.split()[:2] for line in lines if line.startswith(verbs)]
    return [(verb, key.rstrip(":")) for verb, key in pairs]


@pytest.fixture
def as_started():
    """As a process starts: no handler of a library's (Ray's), and no signal that came earlier."""
    former = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, former)
    with signals.stopping():
        pass


@pytest.fixture
def logged():
    return log_lines


@pytest.fixture
def distribution():
    return install


@pytest.fixture
def command(site, tmp_path, forks):
    """Start `impress-bench …` in another process that sees the pretended distribution: a fork
    or, as is asked for, on a terminal and on macOS, an interpreter."""

    def start(
        *arguments: object,
        ignored: Sequence[int] = (),
        terminal: int | None = None,
        forked: bool = True,
        **environment: str,
    ) -> subprocess.Popen | Forked:
        """With some signals `ignored`, and in a session of its own on a `terminal`."""
        main = "from impress_bench.benchmark.cli import main; main()"
        whole = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", **environment}
        if FORKING and forked and terminal is None:
            return forks.start(main, arguments, tmp_path, whole, ignored)

        def signals() -> None:
            """As a terminal has them: what a shell starts in the background ignores SIGINT."""
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
            if terminal is not None:
                os.setsid()
                fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

        return subprocess.Popen(
            [sys.executable, "-c", main, *map(str, arguments)],
            stdin=terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE if terminal is None else terminal,
            text=True,
            cwd=tmp_path,
            preexec_fn=signals,
            env=whole,
        )

    return start
