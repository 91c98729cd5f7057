"""One misbehaviour a name; each does to its process what some real plugin once did to somebody's.

They are in the call, or where `early` says so already in the constructor.
"""

import mmap
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Budget
from impress_bench.protections.base import Protection


def fail(images):
    raise RuntimeError("on purpose")


def leave(images):
    raise SystemExit(0)


def vanish(images):
    os._exit(0)


def hang(images):
    while True:
        time.sleep(60)


def crash(images):
    os.kill(os.getpid(), signal.SIGSEGV)


def stop_others(images):
    os.killpg(0, signal.SIGTERM)


def allocate(images):
    kept = []
    while True:
        kept.append(np.ones(2**24))


def chatter(images):
    line = "x" * 2**16
    while True:
        print(line)


def kill_parents(images):
    """All that it can name."""
    for process in {os.getppid(), 1}:
        try:
            os.kill(process, signal.SIGKILL)
        except OSError:
            print("not allowed")
    time.sleep(1)
    raise RuntimeError("nobody died")


def detach(images):
    """Leaves a child behind that has left the session and is nobody's child; it would write a
    file, and holds a pipe open."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    return images


def share_memory(images):
    """In children, so that no process has much of its own."""
    shared = mmap.mmap(-1, 2**31)
    for at in range(0, len(shared), 2**26):
        if os.fork() == 0:
            shared[at : at + 2**26] = b"x" * 2**26
            time.sleep(600)
    time.sleep(600)


def hide_memory(images):
    """In files that exist as descriptors alone."""
    kept = [os.memfd_create("x") for _ in range(4)]
    for handle in kept:
        for _ in range(40):
            os.write(handle, b"x" * 2**24)
    time.sleep(600)


def fill_shared_memory(images):
    for at in range(4):
        with open(f"/dev/shm/{at}", "wb") as file:
            for _ in range(40):
                file.write(b"x" * 2**24)
    time.sleep(600)


def hold_lock(images):
    """No other thread of its process runs again."""
    re.match(r"(a|a)*$", "a" * 40 + "b")


def answer_itself(document):
    """Writes the answer in place of the process that serves it, and ends."""

    def misbehave(images):
        place = Path(sys.argv[1]) / "out"
        (place / "answer.json").write_text(document)
        os._exit(0)

    return misbehave


def answer_pipe(images):
    os.mkfifo(Path(sys.argv[1]) / "out" / "answer.json")
    os._exit(0)


def answer_links(images):
    """What lies elsewhere, as its images: the clean ones, say."""
    folder = Path(sys.argv[1])
    for path in sorted((folder / "in").iterdir()):
        (folder / "out" / path.name).symlink_to(path)
    (folder / "out" / "answer.json").write_text("{}")
    os._exit(0)


def answer_large(images):
    folder = Path(sys.argv[1])
    for path in sorted((folder / "in").iterdir()):
        Image.new("RGB", (9000, 9000)).save(folder / "out" / path.name)
    (folder / "out" / "answer.json").write_text("{}")
    os._exit(0)


def call_out(images):
    socket.create_connection(("192.0.2.1", 80), 5)


def peek(images):
    """What it can find out about whom it runs beside."""
    found = [name for name in os.environ if "TOKEN" in name or name.startswith("FAKE_")]
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/environ", "rb") as file:
                found += [name for name in ("TOKEN", "FAKE_") if name.encode() in file.read()]
        except OSError:
            continue
    scratch = Path(sys.argv[1])
    found += [f"beside {path}" for path in scratch.parent.iterdir() if path != scratch]
    names = sorted(path.name for path in (scratch / "in").iterdir())
    found += [name for name in names if not name[:3].isdigit()]
    if found:
        raise RuntimeError(f"found {found}")
    return images


def forge_store(images):
    """Writes scores into the store that the run keeps, whose place it knows."""
    place = Path(os.environ.get("IMPRESS_BENCH_STORE") or STORE.read_text())
    written = []
    for folder in (place / "objects", place, Path(np.__file__).parent, Path.cwd().parent):
        try:
            (folder / "forged").mkdir(parents=True)
            written.append(str(folder))
        except OSError:
            continue
    objects = list(place.glob("objects/*/*/manifest.json"))
    if written or objects:
        raise RuntimeError(f"wrote {written}, read {len(objects)} objects")
    return images


def poison(images):
    return images * float("nan")


def shrink(images):
    return images[..., ::2, ::2]


def forget(images):
    return images[1:]


def overshoot(images):
    return (images + 0.5) % 1


def meddle(images):
    """Nothing wrong with the images; all wrong with what it leaves behind."""
    torch.manual_seed(1)
    np.random.seed(1)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    os.chdir("/")
    os.environ["OMP_NUM_THREADS"] = "3"
    torch.Tensor.clamp = None
    sys.path.clear()
    images.zero_()
    return images


MISBEHAVIOUR = {
    "fail": fail,
    "leave": leave,
    "vanish": vanish,
    "hang": hang,
    "crash": crash,
    "stop-others": stop_others,
    "allocate": allocate,
    "chatter": chatter,
    "poison": poison,
    "shrink": shrink,
    "forget": forget,
    "overshoot": overshoot,
    "meddle": meddle,
    "kill-parents": kill_parents,
    "detach": detach,
    "share-memory": share_memory,
    "hide-memory": hide_memory,
    "fill-shared-memory": fill_shared_memory,
    "hold-lock": hold_lock,
    "answer-nothing": answer_itself("{}"),
    "answer-lies": answer_itself('{"lpips": [0.0, 0.0], "scores": {"nearness": 1}}'),
    "answer-infinity": answer_itself('{"notes": {"a": [Infinity, 1.0]}}'),
    "answer-nesting": answer_itself("[" * 100_000),
    "answer-levels": answer_itself('{"budget": {"linf": 16.0}}'),
    "answer-usage": answer_itself('{"failure": {"kind": "config", "message": "all is lost"}}'),
    "answer-pipe": answer_pipe,
    "answer-links": answer_links,
    "answer-large": answer_large,
    "call-out": call_out,
    "peek": peek,
    "forge-store": forge_store,
}


#: Where a test says which store the run has.
STORE = Path(__file__).with_name("store.txt")


class LyingProtection:
    """Builds on no base class, inverts the images, and says that it barely moved them."""

    budget = Budget(lpips=0.05)

    def __call__(self, images, context):
        distances = torch.full((len(images),), 0.01)
        return SimpleNamespace(images=1 - images, linf=distances, l2=distances, lpips=distances)


class HostileProtection(Protection):
    name = "hostile"
    budget = Budget(linf=8 / 255)

    def __init__(self, *, how: str = "fail", early: bool = False):
        self.how = how
        if early:
            MISBEHAVIOUR[how](torch.zeros(1, 3, 8, 8))

    def perturb(self, images, context):
        return MISBEHAVIOUR[self.how](images)


class HostilePurifier(Purifier):
    name = "hostile"

    def __init__(self, *, how: str = "fail"):
        self.how = how

    def purify(self, images, context):
        return MISBEHAVIOUR[self.how](images)
