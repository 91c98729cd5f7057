"""Metrics whose libraries are extras: beside the library, or skipped with what to do."""

from __future__ import annotations

import sys
from itertools import pairwise
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.metrics import face_identity, missing
from impress_bench.metrics.face_identity import FaceIdentity
from impress_bench.metrics.fsim import Fsim


@pytest.mark.parametrize(
    ("metric", "install"),
    [(Fsim(), r"needs piq: pip install 'impress-bench\[fsim\]'"),
     (FaceIdentity(), r"needs insightface: pip install 'impress-bench\[faces\]'")],
)  # fmt: skip
def test_a_missing_library_skips_with_the_command(metric, install, monkeypatch):
    monkeypatch.setattr(missing, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=install) as raised:
        metric(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64))
    assert raised.value.state is State.SKIPPED


def test_fsim_is_one_of_equal_images_and_falls_with_noise():
    pytest.importorskip("piq")
    draw = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 8, 8, generator=draw)
    clean = clean.repeat_interleave(8, 2).repeat_interleave(8, 3)
    noise = torch.randn(clean.shape, generator=draw)
    values = [Fsim()((clean + s * noise).clamp(0, 1), clean) for s in (0, 0.02, 0.1, 0.3)]
    assert torch.allclose(values[0], torch.ones(2))
    assert all((high > low).all() for high, low in pairwise(values))


class Recogniser:
    """Sees a face wherever the top left pixel is red, and as many as it says in green."""

    def __init__(self, **told):
        self.told = told

    def prepare(self, ctx_id):
        assert ctx_id == -1

    def get(self, pixels):
        blue, green, red = pixels[0, 0].tolist()
        small = SimpleNamespace(bbox=(0, 0, 1, 1), normed_embedding=np.array([0.0, 0.0, 1.0]))
        angle = blue / 255
        large = SimpleNamespace(
            bbox=(0, 0, 9, 9), normed_embedding=np.array([np.cos(angle), np.sin(angle), 0.0])
        )
        return [small, large][: 2 if green else 3] if red else []


def test_face_identity_compares_the_largest_faces(monkeypatch, tmp_path):
    library, app = ModuleType("insightface"), ModuleType("insightface.app")
    app.FaceAnalysis = Recogniser
    monkeypatch.setitem(sys.modules, "insightface", library)
    monkeypatch.setitem(sys.modules, "insightface.app", app)
    monkeypatch.setattr(missing, "find_spec", lambda name: object())
    face_identity._recogniser.cache_clear()
    folder = tmp_path / "models" / "buffalo_l"
    metric = FaceIdentity(str(folder))
    photos = torch.zeros(3, 3, 4, 4)
    photos[:, 0] = 1
    with pytest.raises(PluginError, match=r"insightface-cli model.download buffalo_l --root") as no:
        metric(photos, photos)
    assert no.value.state is State.SKIPPED
    folder.mkdir(parents=True)
    (folder / "w600k.onnx").touch()
    edits = photos.clone()
    edits[1, 2] = 1.0  # another face, a radian away
    edits[2, 0] = 0.0  # none
    assert metric(edits, photos).tolist() == pytest.approx([1, np.cos(1), 0], abs=1e-6)
    with pytest.raises(PluginError, match="no face is found in the original photo"):
        metric(edits, 0 * photos)
