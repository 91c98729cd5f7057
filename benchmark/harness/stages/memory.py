"""Peak memory while a stage runs.

On a GPU: the most that torch had allocated. On the CPU: the resident set of the whole process,
which includes torch, loaded models and what earlier stages left behind, but not a program that a
plugin starts (`exec:`). Only Linux lets a process reset its peak; elsewhere nothing is measured.
"""

from __future__ import annotations

from pathlib import Path

#: Linux: writing "5" to the first resets VmHWM, the peak, in the second to what is resident now.
CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class PeakMemory:
    """The peak memory of this process since `begin`, on the device that its stages run on."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._begun = False

    def begin(self) -> None:
        """Reset the peak; if the system does not allow that, nothing is measured."""
        self._begun = _begin_on_gpu() if self._device == "cuda" else _begin_on_cpu()

    @property
    def bytes(self) -> int | None:
        """The peak, or None if it was not measured."""
        if not self._begun:
            return None
        return _peak_on_gpu() if self._device == "cuda" else _peak_on_cpu()


def _begin_on_gpu() -> bool:
    import torch

    if _gpu_in_use():  # torch refuses before CUDA is initialised, when nothing is allocated
        torch.cuda.reset_peak_memory_stats()
    return True


def _peak_on_gpu() -> int | None:
    import torch

    return torch.cuda.max_memory_allocated() if _gpu_in_use() else None


def _gpu_in_use() -> bool:
    import torch

    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def _begin_on_cpu() -> bool:
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _peak_on_cpu() -> int | None:
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
