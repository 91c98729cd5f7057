"""Whether this machine has the device that a preset runs on."""

from __future__ import annotations


def device_problem(device: str, memory_gb: float = 0.0) -> str:
    """Why a run on "cpu" or "cuda" cannot work here, and the way out; "" if it can. `memory_gb` is
    what it needs of a GPU, in GiB."""
    if device == "cpu":
        return ""
    import torch

    if not torch.cuda.is_available():
        return 'torch sees no GPU; run on a machine with one, or set device = "cpu" (--device cpu)'
    has = torch.cuda.get_device_properties(0).total_memory / 2**30
    if has < memory_gb:
        return (
            f"the GPU has {has:.0f} GiB and the preset needs {memory_gb:g};"
            " lower images_at_once, fine_tuning_microbatch and sampling_batch, or use a larger GPU"
        )
    return ""
