"""What a recipe is given: folders, steps, sizes and a device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.atelier.train.data import PaintedSet, painted
from impress_bench.benchmark.atelier.train.sizes import Sizes
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.models.digest import folder_digest

KINDS = ("cpu", "cuda", "mps")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Job:
    """One recipe's order.

    Parameters:
        work: Folder of painted training sets (`data`/) and checkpoints, one folder per part.
        pack: The model pack, from which earlier parts are read and into which the part is written.
        steps: Optimizer steps, at least 1.
        sizes: Widths and seed of the model.
        device: Where networks are trained. Weights are initialised and everything random is drawn
            on the CPU, so that a seed means the same on every device.
        onward: Steps that the pack's part has had already and from whose weights it goes on; 0
            starts from nothing.
        without: Protections that the learned purifier is not trained on; of the others no matter.
    """

    work: Path
    pack: Path
    steps: int
    sizes: Sizes
    device: torch.device = CPU
    onward: int = 0
    without: tuple[str, ...] = ()

    def painted(
        self,
        role: str,
        split: str,
        count: int,
        subjects: tuple[str, ...] = world.SUBJECTS,
        movement: str | None = None,
    ) -> PaintedSet:
        """As `data.painted`, cached in `work`/data."""
        return painted(self.work / "data", role, split, count, subjects, movement)

    def digest(self, *folders: str) -> str:
        """Identifies the state of these folders of the pack: of what a part is trained on."""
        return " ".join(folder_digest(self.pack / name) for name in folders)


def usable_device(name: str) -> torch.device:
    """The device called `name`: "cpu", "cuda", "cuda:1", "mps".

    Raises ConfigError for another name and for a device that this machine or this build of torch
    does not have.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in KINDS:
        raise ConfigError(f"unknown device {name!r}; known: {', '.join(KINDS)}")
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise ConfigError(
                f"device {name!r} is not there: torch {torch.__version__} sees {count} CUDA"
                " devices; leave out --device to train on the CPU"
            )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(
            f"device {name!r} is not there: torch {torch.__version__} sees no Metal GPU;"
            " leave out --device to train on the CPU"
        )
    return device


def description(device: torch.device) -> str:
    """What a model card says of a device: a GPU's model name, or how many CPU threads were used."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, threads: {torch.get_num_threads()}" if device.type == "cpu" else device.type
