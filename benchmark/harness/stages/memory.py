"""The most memory that there was while a stage ran.

On a GPU that is what torch had allocated there at once. On the CPU it is what was resident of the
whole process: torch is in it, the models that are loaded, and what earlier stages left behind; a
program that a plugin starts (`exec:`) is not, which is a process of its own. Linux alone lets a
process begin its peak anew; elsewhere nothing is measured.
"""

from __future__ import annotations

from pathlib import Path

#: Linux: "5" written to the one makes of VmHWM in the other, the peak, what is resident now.
CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class PeakMemory:
    """The peak of this process since it was last begun, on the device that its stages run on."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._begun = False

    def begin(self) -> None:
        """Forget what was before; where the system does not allow that, there is no peak."""
        self._begun = _begin_on_gpu() if self._device == "cuda" else _begin_on_cpu()

    @property
    def bytes(self) -> int | None:
        """The peak, or None where nothing was measured."""
        if not self._begun:
            return None
        return _peak_on_gpu() if self._device == "cuda" else _peak_on_cpu()


def _begin_on_gpu() -> bool:
    import torch

    if _gpu_in_use():  # else torch refuses, and nothing is allocated yet
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
