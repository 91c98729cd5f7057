"""The training loop that all recipes share: AdamW, warm-up and cosine, EMA, checkpoints, resume.

A step's randomness comes from (seed, step) alone, so that a resumed run draws what an undisturbed
one would have drawn. It is drawn on the CPU wherever the networks are, so that a seed means the
same on every device. Checkpoints are safetensors, the optimizer's moments included.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.training_utils import EMAModel
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a model is trained.

    Parameters:
        steps: Optimizer steps.
        lr: Peak learning rate, reached linearly; it then falls along a cosine to a hundredth.
        ema: Decay of the averaged weights, reached gradually.
        warmup: Steps until the peak.
        weight_decay: AdamW's.
        seed: Of everything that is drawn during training.
    """

    steps: int
    lr: float
    ema: float = 0.999
    warmup: int = 100
    weight_decay: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """`ema`: averaged weights by qualified name. `hours`: wall-clock, resumed sessions included."""

    ema: dict[str, torch.Tensor]
    hours: float


def train(
    modules: Mapping[str, torch.nn.Module],
    loss: Callable[[torch.Generator], torch.Tensor],
    schedule: Schedule,
    folder: Path,
    origin: str = "",
    *,
    checkpoint_every: int = 250,
) -> Outcome:
    """Minimise `loss(generator)` over the parameters of `modules` that require gradients, on the
    devices where they are.

    Parameters:
        modules: Networks by the prefix of their weights' names in checkpoints and in `Outcome.ema`.
        loss: A scalar from a CPU generator that is seeded anew for every step.
        schedule: Length, rate and seed.
        folder: Holds the checkpoint, from which a run that was cut short resumes on any device.
        origin: Identifies what the run learns from. A checkpoint of another origin is put aside as
            `stale.safetensors`, and training starts afresh.
        checkpoint_every: Steps between checkpoints.

    Prints the mean loss, the speed and the time left. Raises FloatingPointError for a loss that is
    not finite.
    """
    named = {
        f"{prefix}.{name}": parameter
        for prefix, module in modules.items()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }
    average = EMAModel(named.values(), decay=schedule.ema, foreach=True)
    optimizer = torch.optim.AdamW(
        named.values(), lr=schedule.lr, weight_decay=schedule.weight_decay, betas=(0.9, 0.99)
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "checkpoint.safetensors"
    start, seconds = _restore(path, origin, named, average, optimizer)
    began, recent = time.monotonic() - seconds, []
    for step in range(start, schedule.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.lr * _rate(step, schedule)
        generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + step)
        value = loss(generator)
        if not torch.isfinite(value):
            raise FloatingPointError(f"{folder.name}: loss is {value.item()} at step {step}")
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(named.values(), 1.0)
        optimizer.step()
        average.step(named.values())
        recent.append(value.item())
        if (step + 1) % 50 == 0:
            _report(
                folder.name,
                step + 1,
                schedule.steps,
                recent,
                start,
                time.monotonic() - began - seconds,
            )
            recent = []
        if (step + 1) % checkpoint_every == 0 or step + 1 == schedule.steps:
            progress = {"step": step + 1, "seconds": time.monotonic() - began, "origin": origin}
            _save(path, progress, named, average, optimizer)
    ema = dict(zip(named, average.shadow_params, strict=True))
    return Outcome(ema, (time.monotonic() - began) / 3600)


def load_ema(modules: Mapping[str, torch.nn.Module], ema: Mapping[str, torch.Tensor]) -> None:
    """Copy averaged weights into `modules` and set these to evaluation mode."""
    with torch.no_grad():
        for prefix, module in modules.items():
            for name, parameter in module.named_parameters():
                if f"{prefix}.{name}" in ema:
                    parameter.copy_(ema[f"{prefix}.{name}"])
            module.eval()


@contextmanager
def fast_arithmetic(device: torch.device) -> Iterator[None]:
    """Mixed precision where that is fast and, on CPUs that have it, attention without torch's fused
    kernel: its backward pass in bfloat16 took 0.46 of 1.05 s of a denoiser's step, written out .03
    (torch 2.14, one core with AMX, 64 latents). In float32 the fused kernel is the faster one."""
    with ExitStack() as stack:
        stack.enter_context(bfloat16_if_fast(device))
        if device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield


def bfloat16_if_fast(device: torch.device) -> torch.autocast:
    """Mixed precision on CUDA and on CPUs that have bfloat16 in hardware; elsewhere it changes
    nothing. Emulated on a CPU it is 20 times slower than float32 (AMD EPYC with AVX2)."""
    if device.type == "cpu":
        fast = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    else:
        fast = device.type == "cuda"
    return torch.autocast(device.type if fast else "cpu", torch.bfloat16, enabled=fast)


def batches(count: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """`size` indices below `count`, drawn with replacement."""
    return torch.randint(count, (size,), generator=generator)


def _rate(step: int, schedule: Schedule) -> float:
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    done = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def _moments(
    optimizer: torch.optim.Optimizer, named: Mapping[str, torch.Tensor]
) -> Iterator[tuple[str, str, torch.Tensor]]:
    for name, parameter in named.items():
        for key, value in optimizer.state[parameter].items():
            yield name, key, value


def _save(
    path: Path,
    progress: Mapping[str, Any],
    named: Mapping[str, torch.Tensor],
    average: EMAModel,
    optimizer: torch.optim.Optimizer,
) -> None:
    tensors = {f"weight/{name}": value for name, value in named.items()}
    averaged = zip(named, average.shadow_params, strict=True)
    tensors |= {f"ema/{name}": value for name, value in averaged}
    tensors |= {f"adam/{key}/{name}": value for name, key, value in _moments(optimizer, named)}
    temporary = path.with_suffix(".tmp")
    save_file(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        temporary,
        metadata={"progress": json.dumps(progress)},
    )
    temporary.replace(path)


def _restore(
    path: Path,
    origin: str,
    named: Mapping[str, torch.Tensor],
    average: EMAModel,
    optimizer: torch.optim.Optimizer,
) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    with safe_open(path, "pt") as stored:
        progress = json.loads(stored.metadata()["progress"])
    if progress.get("origin", origin) != origin:
        path.replace(path.with_name("stale.safetensors"))
        print(f"{path.parent.name}: started afresh, what it learns from has changed", flush=True)
        return 0, 0.0
    with safe_open(path, "pt") as stored, torch.no_grad():
        average.optimization_step = progress["step"]
        for (name, parameter), averaged in zip(named.items(), average.shadow_params, strict=True):
            parameter.copy_(stored.get_tensor(f"weight/{name}"))
            averaged.copy_(stored.get_tensor(f"ema/{name}"))
            # AdamW counts steps on the CPU, wherever the parameter is.
            optimizer.state[parameter] = {"step": stored.get_tensor(f"adam/step/{name}")} | {
                key: stored.get_tensor(f"adam/{key}/{name}").to(parameter.device)
                for key in ("exp_avg", "exp_avg_sq")
            }
    print(f"{path.parent.name}: resumed at step {progress['step']}", flush=True)
    return progress["step"], progress["seconds"]


def _report(
    name: str, step: int, steps: int, recent: list[float], start: int, spent: float
) -> None:
    left = spent / (step - start) * (steps - step)
    mean = sum(recent) / len(recent)
    print(
        f"{name}: step {step}/{steps}  loss {mean:.4f}  "
        f"{1000 * spent / (step - start):.0f} ms a step  {left / 60:.1f} min left",
        flush=True,
    )
