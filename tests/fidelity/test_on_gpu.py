"""Every family and every kind of stage on a GPU, where there is one.

Whatever is random is drawn on the CPU, so that both devices are to have nearly the same results.
"""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch

from impress_bench.benchmark import load_preset, protect, purify, run
from impress_bench.benchmark.harness.plugins.models import load_model
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.unfinished import Unfinished

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch sees no CUDA GPU on this machine"
)
DEVICES = ("cpu", "cuda")


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Convolutions on GPUs round float32 to TF32 by default."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def both(kind, folder_of):
    """One family's model on each device."""
    return [load_model(str(folder_of(kind)), device) for device in DEVICES]


def photos(side):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, side // 8, side // 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    return (smooth.permute(0, 2, 3, 1) * 255).round().byte().numpy()


def near(on_cpu, on_gpu):
    """Images in 8 bits, of which a few may have been rounded or signed otherwise."""
    apart = np.abs(np.asarray(on_cpu, dtype=int) - np.asarray(on_gpu, dtype=int))
    return float(apart.mean()) < 0.5


def test_protections_and_purifiers_do_as_on_the_cpu(both):
    images = photos(both[0].image_size)
    protected = [protect(images, "photoguard-encoder[steps=2]", model=one) for one in both]
    assert near(*(one.images for one in protected))
    assert np.abs(protected[1].images.astype(int) - images.astype(int)).max() > 0
    purified = [purify(images, "impress[steps=2]", model=one).images for one in both]
    assert near(*purified)
    assert protect(images, "advdm[steps=2]", model=both[1]).linf.max() > 0


def test_a_mimic_learns_and_paints_as_on_the_cpu(both):
    painted = []
    for model in both:
        works = torch.from_numpy(photos(model.image_size)).permute(0, 3, 1, 2) / 255
        taught = fine_tune(
            model, works.to(model.device, model.dtype), ["a", "b"], steps=2, lr=1e-4, batch_size=2,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        before, after = (
            next(one.denoiser.parameters()).detach().cpu().float() for one in (model, taught)
        )
        assert not torch.equal(before, after)
        draws = [torch.Generator().manual_seed(1)]
        made = taught.sample(["a"], draws, steps=2, guidance_scale=2.0)
        painted.append((made.float().cpu() * 255).round().numpy())
    assert near(*painted)


def test_a_mimic_that_was_cut_short_goes_on(tmp_path):
    """What it kept is put back on the GPU."""

    def weights(device, steps, folder=None):
        model = load_model("atelier", device)
        works = torch.from_numpy(photos(64)).permute(0, 3, 1, 2) / 255
        taught = fine_tune(
            model, works, ["a", "b"], steps=steps, lr=1e-4, batch_size=2,
            generator=torch.Generator().manual_seed(0),
            unfinished=Unfinished(folder, every_s=0),
        )  # fmt: skip
        return torch.cat([one.detach().cpu().flatten() for one in taught.denoiser.parameters()])

    weights("cuda", 2, tmp_path)
    resumed, undisturbed = weights("cuda", 4, tmp_path), weights("cpu", 4)
    assert torch.linalg.norm(resumed - undisturbed) < 1e-3 * torch.linalg.norm(undisturbed)
    assert not torch.allclose(resumed, weights("cuda", 2), atol=1e-6)


def test_every_kind_of_stage(tmp_path):
    """The smallest rows of both tasks, a surrogate and a judge on the GPU, two works at a time."""
    preset = load_preset("quick")
    settings = copy.deepcopy(preset.settings.model_dump())
    settings["tasks"]["style-mimicry"]["judging"]["diffusion_device"] = "cuda"
    small = preset.override(
        device="cuda",
        images_at_once=2,
        settings=settings,
        protections=["identity", "glaze", "photoguard-diffusion"],
        purifiers=["none", "impress"],
        matrix=[],
        metrics=["cmmd"],
    )
    result = run(small, out=tmp_path / "run", store=tmp_path / "store", workers=2)
    assert not result.failures
    costs = json.loads((tmp_path / "run" / "costs.json").read_text())
    peaks = {kind: cost["peak_bytes"] for kind, cost in costs["kinds"].items()}
    assert {"protect", "purify", "exploit"} <= {kind for kind, peak in peaks.items() if peak}
