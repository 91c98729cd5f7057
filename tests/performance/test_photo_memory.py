"""Peak memory of the whole path of a photo of 24 megapixels, from its file to the result's."""

import os
import subprocess
import sys

import numpy as np
from PIL import Image

MAIN = "from impress_bench.benchmark.cli import main; main()"
#: Bytes at most of the whole, and beside what the process has for a small photo: 0.95e9 to 1.05e9
#: were measured, of which two pictures in floating point are 0.58e9. All tiles at once: 1.44e9.
LIMIT, BESIDE = 3e9, 1.3e9


def peak(folder, *words):
    """Bytes at most, of a command of its own."""
    command = [sys.executable, "-c", MAIN, *words, "--quiet"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_a_large_photo_is_worked_on_in_parts(tmp_path):
    rows, columns = np.indices((4000, 6000), dtype=np.int32)
    shown = np.stack([rows * 255 // 4000, columns * 255 // 6000, (rows ^ columns) % 256], axis=2)
    for name, picture in (("large", shown), ("small", shown[:64, :64])):
        (tmp_path / name).mkdir()
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / name / "a.jpg")
    small, large = (
        peak(tmp_path, "purify", name, f"{name}-out", "--purifier", "jpeg", "--fit", "tile")
        for name in ("small", "large")
    )
    assert large < LIMIT
    assert large - small < BESIDE
