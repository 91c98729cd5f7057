"""Runs that are killed, interrupted or share a store, in processes of their own."""

import io
import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import time
from collections import Counter

import pandas as pd
import pytest

from impress_bench.benchmark.harness.execution.workers import default_workers, worker_processes

SLOW = {"FAKE_DELAY": "0.2"}


def boards(out):
    return {path.name: path.read_bytes() for path in sorted((out / "boards").iterdir())}


def finish(process, expected=0):
    output, errors = process.communicate(timeout=120)
    assert process.returncode == expected, errors
    return output, errors


def stop_after(process, logged, out, count, how, delay=0.0):
    """Send a signal once so many stages are executed, and some seconds later."""
    deadline = time.monotonic() + 60
    while Counter(verb for verb, _ in logged(out))["executed"] < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(how)


def executed(lines):
    return [key for verb, key in lines if verb == "executed"]


def test_killed_run_resumes(command, logged, preset_file, tmp_path):
    plain, out = tmp_path / "plain", tmp_path / "out"
    arguments = ("run", "--preset", preset_file, "--quiet", "--workers", "1")
    finish(command(*arguments, "--out", plain, "--store", tmp_path / "s1"))
    process = command(*arguments, "--out", out, "--store", tmp_path / "s2", **SLOW)
    stop_after(process, logged, out, 6, signal.SIGKILL)
    process.communicate()
    before = executed(logged(out))
    whole = executed(logged(plain))
    assert 6 <= len(before) < len(whole)

    finish(command(*arguments, "--out", out, "--store", tmp_path / "s2"))
    after = executed(logged(out))[len(before) :]
    assert not set(before) & set(after)
    # A stage stored but not yet logged when the process died is neither in `before` nor in `after`.
    assert set(before) | set(after) <= set(whole)
    assert len(before) + len(after) >= len(whole) - 1
    assert boards(out) == boards(plain)
    assert pd.read_parquet(out / "cells.parquet").equals(pd.read_parquet(plain / "cells.parquet"))


@pytest.mark.parametrize(
    ("how", "code", "said", "workers"),
    [
        (signal.SIGINT, 130, "Interrupted. The", 1),
        (signal.SIGTERM, 143, "Ended by SIGTERM. The", 2),
        (signal.SIGHUP, 129, "Ended by SIGHUP. The", 1),
    ],
)
def test_a_signal_writes_boards_and_the_run_resumes(
    command, logged, preset_file, tmp_path, how, code, said, workers
):
    out, store, scratch = tmp_path / "out", tmp_path / "store", tmp_path / "scratch"
    scratch.mkdir()
    arguments = ("run", "--preset", preset_file, "--out", out, "--store", store)
    arguments += ("--workers", workers)
    process = command(*arguments, TMPDIR=str(scratch), **SLOW)
    # `timeout` sends a signal to a process and to its group: twice at once.
    draw = random.Random(how)
    stop_after(process, logged, out, draw.randrange(2, 12), how, delay=draw.uniform(0, 0.2))
    process.send_signal(how)
    _, errors = finish(process, code)
    assert f"{said} same command goes on where this one stopped" in errors
    assert "worker process" not in errors
    assert not list(scratch.iterdir())
    assert not list((store / "tmp").iterdir())
    assert not subprocess.run(["pgrep", "-f", str(store)], capture_output=True).stdout
    keys = [key for _, key in logged(out)]
    assert set(keys) == {path.parent.name for path in store.glob("objects/*/*/manifest.json")}
    assert "Traceback" not in errors
    assert (out / "boards" / "LEADERBOARD.md").is_file()
    states = set(pd.read_parquet(out / "cells.parquet")["state"])
    assert {"missing"} <= states <= {"done", "missing"}

    finish(command(*arguments))
    keys = executed(logged(out))
    assert len(keys) == len(set(keys))
    assert set(pd.read_parquet(out / "cells.parquet")["state"]) == {"done"}


def test_a_signal_ends_what_the_run_has_started(command, preset_file, tmp_path):
    """Programs of other people, in this process and in a worker, and their folders."""
    scratch, program = tmp_path / "scratch", tmp_path / "slow"
    scratch.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 61.25\n")
    program.chmod(0o755)
    process = command(
        "run", "--preset", preset_file, "--out", tmp_path / "o", "--store", tmp_path / "s",
        "--workers", 2, "--purifiers", f"exec:{program} {{in}} {{out}}", TMPDIR=str(scratch),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(_sleepers()) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(list(scratch.iterdir())) >= 2
    process.send_signal(signal.SIGTERM)
    finish(process, 143)
    assert not list(scratch.iterdir())
    assert not _sleepers()
    assert (tmp_path / "o" / "boards" / "LEADERBOARD.md").is_file()


def test_a_terminal_that_is_closed_ends_a_run_in_order(command, logged, preset_file, tmp_path):
    """The system sends SIGHUP, and whatever is printed from then on fails."""
    out, (ours, theirs) = tmp_path / "out", pty.openpty()
    words = ("run", "--preset", preset_file, "--out", out, "--store", tmp_path / "s")
    process = command(*words, "--workers", 1, terminal=theirs, **SLOW)
    os.close(theirs)
    deadline, shown = time.monotonic() + 60, b""
    while len(executed(logged(out))) < 5:
        assert time.monotonic() < deadline, shown
        if select.select([ours], [], [], 0.02)[0]:
            shown += os.read(ours, 2**16)
    os.close(ours)
    assert process.wait(60) == 129
    assert "ended by SIGHUP" in (out / "log.txt").read_text()
    assert set(pd.read_parquet(out / "cells.parquet")["state"]) >= {"missing"}
    assert (out / "boards" / "LEADERBOARD.md").is_file()


def _sleepers():
    found = subprocess.run(["pgrep", "-f", "^sleep 61.25"], capture_output=True, text=True)
    return found.stdout.split()


def test_what_is_ignored_stays_ignored(command, preset_file, tmp_path):
    """As `nohup` and a shell's background have it; what ends the run is what is not ignored."""
    process = command(
        "run", "--preset", preset_file, "--out", tmp_path / "o", "--store", tmp_path / "s",
        ignored=(signal.SIGHUP, signal.SIGINT), FAKE_DELAY="0.1",
    )  # fmt: skip
    while not (tmp_path / "o" / "log.txt").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    finish(process)


def test_a_killed_worker_is_reported_while_the_run_goes_on(command, logged, preset_file, tmp_path):
    out = tmp_path / "out"
    arguments = ("run", "--preset", preset_file, "--out", out, "--store", tmp_path / "store")
    process = command(*arguments, "--workers", 2, FAKE_DELAY="1.5")
    pattern = f"execution.workers {tmp_path}"
    deadline = time.monotonic() + 60
    while True:  # until the worker is at an exploit, the stage that takes its time
        assert time.monotonic() < deadline
        found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True).stdout
        place = f"/proc/{found.split()[0]}/fd/{{}}" if found else ""
        files = [place.format(name) for name in range(3, 10)] if place else []
        if any("exploit copying" in _text(path) for path in files):
            break
        time.sleep(0.02)
    os.kill(int(found), signal.SIGKILL)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "was killed by SIGKILL at exploit copying/" in line:
            break
    else:
        pytest.fail("".join(lines))
    assert process.poll() is None
    assert re.search(rf"worker process {found.strip()} was killed by SIGKILL", line)
    finish(process)
    assert "was killed by SIGKILL at exploit copying/" in (out / "log.txt").read_text()
    assert {verb for verb, _ in logged(out)} == {"executed"}


def _text(path):
    try:
        with open(path) as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


def test_two_processes_share_the_work(command, logged, preset_file, tmp_path):
    outs = [tmp_path / "one", tmp_path / "two"]
    words = ("run", "--preset", preset_file, "--workers", 1)
    processes = [command(*words, "--out", out, "--store", tmp_path / "s", **SLOW) for out in outs]
    for process in processes:
        finish(process)
    done = [executed(logged(out)) for out in outs]
    assert not set(done[0]) & set(done[1])
    stages = {key for verb, key in logged(outs[0])}
    assert set(done[0]) | set(done[1]) == stages
    assert boards(outs[0]) == boards(outs[1])


def test_workers_share_one_run(command, logged, preset_file, tmp_path):
    """Every stage is executed once, counted as this run's, and makes the same boards."""
    outs = [tmp_path / "one", tmp_path / "two"]
    for workers, out in enumerate(outs, 1):
        arguments = ("run", "--preset", preset_file, "--out", out, "--workers", workers)
        finish(command(*arguments, "--store", tmp_path / f"store-{workers}", **SLOW))
    done = [executed(logged(out)) for out in outs]
    assert len(done[1]) == len(set(done[1]))
    assert set(done[0]) == set(done[1])
    assert boards(outs[0]) == boards(outs[1])
    makers = [json.loads(path.read_text())["run"] for path in tmp_path.glob("store-2/*/*/*/man*")]
    assert len(makers) == len(done[1])
    assert len(set(makers)) == 1


def test_each_process_has_a_gpu_of_its_own(bench, monkeypatch):
    """Told by the environment: the run's own process works on the first that it sees."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-af5,7")
    preset = bench.preset(device="cuda")
    assert default_workers(preset) == 3
    started = []

    class Popen:
        def __init__(self, command, env, **options):
            started.append(env.get("CUDA_VISIBLE_DEVICES"))
            self.stdin = io.StringIO()

        pid = 0
        terminate = kill = wait = poll = lambda self, *rest: None

    monkeypatch.setattr(subprocess, "Popen", Popen)
    with worker_processes(preset, bench.store, "run", 3):
        assert started == ["GPU-af5", "7", "3"]
    with worker_processes(bench.preset(), bench.store, "run", 1):
        assert started[3:] == ["3,GPU-af5,7"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert default_workers(preset) == 1


def test_workers_end_with_their_run(command, logged, preset_file, tmp_path):
    out, store = tmp_path / "out", tmp_path / "store"
    arguments = ("run", "--preset", preset_file, "--out", out, "--store", store, "--workers", "3")
    process = command(*arguments, FAKE_DELAY="1")
    stop_after(process, logged, out, 4, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 10
    while subprocess.run(["pgrep", "-f", str(store)], capture_output=True).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    before = executed(logged(out))
    finish(command(*arguments, "--workers", "1"))
    assert not set(before) & set(executed(logged(out))[len(before) :])


def test_rerun_imports_no_torch(command, preset_file, tmp_path):
    """Names, parameters, keys and subjects are known without importing protections or purifiers."""
    arguments = ("run", "--preset", preset_file, "--store", tmp_path / "s", "--out", tmp_path / "o")
    finish(command(*arguments, "--workers", 1))
    process = command(*arguments, forked=False, PYTHONPROFILEIMPORTTIME="1")
    _, errors = finish(process)
    imported = {line.rpartition("|")[2].strip() for line in errors.splitlines() if "|" in line}
    assert "pandas" in imported
    assert not imported & {"fake_plugins", "torch", "diffusers"}


def test_json_summary_and_exit_code(command, preset_file, tmp_path):
    arguments = ("run", "--preset", preset_file, "--out", tmp_path / "o", "--store", tmp_path / "s")
    chosen = ("--protections", "raising,shift[step=4/255]", "--subjects", "ada", "--seeds", "0,1")
    output, errors = finish(command(*arguments, *chosen, "--json", "--quiet", "--workers", 1), 1)
    summary = json.loads(output)
    assert summary["cells"] == {"done": 6, "failed": 4}
    assert {failure["protection"] for failure in summary["failures"]} == {"raising"}
    assert all("the paint ran out" in failure["reason"] for failure in summary["failures"])
    assert not errors
    cells = pd.read_parquet(tmp_path / "o" / "cells.parquet")
    assert "shift[step=4/255]" in set(cells["protection"])


def test_lines_tell_the_progress(command, preset_file, tmp_path):
    words = ("run", "--preset", preset_file, "--store", tmp_path / "s", "--workers", 1)
    _, errors = finish(command(*words))
    lines = [line for line in errors.splitlines() if line.startswith("[")]
    total = len(lines)
    assert lines[0].startswith(f"[1/{total}] executed original copying/ada")
    assert lines[-1].startswith(f"[{total}/{total}] executed score")
    assert lines[-1].endswith("done")
    assert (tmp_path / "runs" / "fake" / "boards" / "LEADERBOARD.md").is_file()


def test_usage_errors_are_one_message(command, preset_file, tmp_path):
    store = ("--store", tmp_path / "s")
    for arguments, complaint in [
        (("run", "--preset", "quik"), "Unknown preset 'quik'. Did you mean: quick"),
        (("run", "--preset", preset_file, "--purifiers", "smoth"), "--purifiers: Unknown purifier"),
        (("run", "--preset", preset_file, "--protections", "shift["), "--protections: 'shift['"),
        (("run", "--preset", preset_file, "--seeds", "one"), "--seeds: 'one' is no list"),
        (("run", "--preset", preset_file, "--subjects", "dan"), "--subjects: Unknown subject"),
        (("run", "--preset", preset_file, "--out", preset_file), "--out"),
    ]:
        _, errors = finish(command(*arguments, *(store if arguments[0] == "run" else ())), 2)
        assert complaint in errors
        assert "Traceback" not in errors
