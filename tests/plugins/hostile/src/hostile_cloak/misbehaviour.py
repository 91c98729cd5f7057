"""One misbehaviour a name; each does to its process what some real plugin once did to somebody's.

They are in the call, or where `early` says so already in the constructor.
"""

import os
import signal
import sys
import time

import numpy as np
import torch

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
}


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
