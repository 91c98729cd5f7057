"""Every protection and every purifier that comes with the package, on every family of models.

The lists come from the entry points: a new plugin without a line here fails. That a call gives the
same again is seen once per plugin, on the families in turn.
"""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
import torch

from impress_bench.attacks.testing import PurifierConformance
from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.further_models import with_models
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.pixels import check_images, round_to_8bit
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.benchmark.spec import parse_spec
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.testing import ProtectionConformance

COPY = "exec:cp -r {in}/. {out}"
PROTECTIONS = {
    "identity": "identity",
    "random-noise": "random-noise[bisections=3]",
    "partial": "partial[of=random-noise]",
    "glaze": "glaze[steps=2,transfer_steps=3,linf=16/255]",
    "photoguard-encoder": "photoguard-encoder[steps=2]",
    "photoguard-diffusion": "photoguard-diffusion[steps=1,repeats=1,diffusion_steps=2,radius=2.0]",
    "immuniser": "immuniser[weights={photos}]",
    "advdm": "advdm[steps=2]",
    "mist": "mist[steps=2]",
    "sds": "sds[steps=2,target=pattern]",
    "fsmg": "fsmg[steps=2,surrogate_steps=1]",
    "aspl": "aspl[rounds=1,moves=2,surrogate_steps=1]",
    "caat": "caat[steps=2]",
    "ace": "ace[rounds=1,moves=2,surrogate_steps=1,latent_weight=100.0]",
    "metacloak": "metacloak[trials=1,stages=2,stage_steps=1,visits=1,moves=1,surrogate_steps=1]",
    "diffusion-guard": "diffusion-guard[steps=2,step=2/255]",
    "simac": "simac[searches=1,rounds=1,moves=2,surrogate_steps=1,source=paper]",
    "pap": "pap[steps=2,step=2/255,prompt_steps=2]",
    "pid": "pid[steps=2]",
    "nightshade": "nightshade[prompt=engraving,steps=2,sampling_steps=2]",
    "style-guard": "style-guard[rounds=1,moves=2,surrogate_steps=1]",
    "style-protect": "style-protect[steps=2]",
    "adv-paint": "adv-paint[steps=2]",
    "disdiff": "disdiff[searches=1,rounds=1,moves=2,surrogate_steps=1,step=4/255]",
    "exec": COPY,
    "dir": "dir:{photos}",
}
ADAPTATIONS = {
    "blurguard": "photoguard-encoder[target=zero]+blurguard[steps=3,sigma_steps=1]",
    "consistency": "advdm[steps=1]+consistency[chain=ldm]",
    "o-pgd": "photoguard-encoder[steps=2]+o-pgd[steps=2]",
    "purifier": (
        "photoguard-encoder[steps=1]+purifier[expects=impress-unrolled[steps=1],mode=through]"
    ),
    "surrogates": "photoguard-encoder[steps=2]+surrogates[models=atelier,draws=1]",
}
PURIFIERS = {
    "none": "none",
    "jpeg": "jpeg",
    "gaussian-noise": "gaussian-noise[std=0.1]",
    "resize": "resize",
    "vae-round-trip": "vae-round-trip",
    "impress": "impress[steps=2]",
    "impress-fast": "impress-fast[steps=2]",
    "impress-unrolled": "impress-unrolled[steps=1]",
    "diffpure": "diffpure[strength=0.15,steps=14]",
    "gridpure": "gridpure[iterations=1,strength=0.01,steps=100,tile=48]",
    "auto": "auto",
    "learned": "learned",
    "pdm-pure": "pdm-pure[weights={photos}]",
    "noisy-upscaling": "noisy-upscaling",
    "adverse-cleaner": "adverse-cleaner[bilateral=1,guided=1]",
    "total-variation": "total-variation",
    "bit-depth": "bit-depth",
    "crop": "crop",
    "rotation": "rotation",
    "exec": COPY,
    "dir": "dir:{photos}",
}
#: Those that need an inpainting U-Net.
INPAINTING = ("photoguard-diffusion", "diffusion-guard", "adv-paint")
#: Those that read layers of Stable Diffusion's U-Net, and where there is none of the name.
NEEDS_LAYERS = {
    *(("style-protect", kind) for kind in ("sdxl", "sd-3.5", "flux", "instruct-pix2pix")),
    *((name, kind) for name in ("simac", "disdiff") for kind in ("sd-3.5", "flux")),
}
NO_LAYERS = (
    "no cross-attention up_blocks|needs a model that names feature_layers"
    "|needs a model whose denoiser reads the prompt by cross-attention"
)
#: What has to skip, and in which words.
NEEDS_UPSCALER = "needs an upscaler: noisy-upscaling[upscaler=FOLDER], with diffusers' x4 upscaler"
NO_INPAINTING = "no inpainting U-Net|cannot inpaint|sees no mask"


def ours(group: str) -> list[str]:
    """Registered names of a group's plugins that come with the package."""
    return sorted(
        entry.name
        for entry in entry_points(group=f"impress_bench.{group}")
        if entry.dist is not None and entry.dist.name == "impress-bench"
    )


@pytest.fixture(scope="module")
def create():
    """`create(group, spec)`: a new plugin, resolved as in a run."""
    registry = Registry()
    return lambda group, text: registry.resolve(group, parse_spec(text)).create()


def photos_and_context(model, conformance, plugin):
    """A portrait at the model's size, and what a plugin is told of it, anew at each call."""

    class Case(conformance):
        def model(self):
            return model

        def build(self):
            return plugin

    case = Case()
    photos = case.photos(1, (model.image_size, model.image_size))
    models = {name: load_model(name) for name in getattr(plugin, "model_names", ())}
    return photos, lambda: with_models(case.context(photos), models)


def repeats_on(name: str, kinds: tuple[str, ...]) -> str:
    """The family on which a plugin is called twice."""
    able = [
        kind
        for kind in kinds
        if (name, kind) not in NEEDS_LAYERS and (name not in INPAINTING or kind == "sd-inpainting")
    ]
    return able[sorted([*PROTECTIONS, *ADAPTATIONS, *PURIFIERS]).index(name) % len(able)]


@pytest.mark.parametrize("name", [*ours("protections"), *ours("adaptations")])
def test_a_protection_protects(name, any_model, kind, kinds, create, tmp_path):
    spec = {**PROTECTIONS, **ADAPTATIONS}[name]
    plugin = create("protections", spec.replace("{photos}", str(tmp_path)))
    photos, context = photos_and_context(any_model, ProtectionConformance, plugin)
    if name == "immuniser":
        pixel_unet.new(4, 3, (8, 8)).save_pretrained(tmp_path)
    assert plugin.skip("a", any_model) is None
    if name == "dir":
        published(photos.images, tmp_path / "a")
        plugin.receive_names("a", ["000"])
    if name in INPAINTING and kind != "sd-inpainting":
        with pytest.raises(PluginError, match=NO_INPAINTING) as skipped:
            plugin(photos.images, context())
        assert skipped.value.state is State.SKIPPED
        return
    if (name, kind) in NEEDS_LAYERS:
        with pytest.raises(PluginError, match=NO_LAYERS) as skipped:
            plugin(photos.images, context())
        assert skipped.value.state is State.SKIPPED
        return
    if name == "partial":
        with pytest.raises(PluginError, match="a single image cannot be partly protected"):
            plugin(photos.images, context())
        return
    protected = plugin(photos.images, context())
    check_images(name, "output", protected.images, like=photos.images)
    if kind == repeats_on(name, kinds):
        assert torch.equal(protected.images, plugin(photos.images, context()).images)
    for norm in ("linf", "l2", "lpips"):
        limit = getattr(plugin.budget, norm)
        if limit is not None and norm not in plugin.budget.soft:
            assert getattr(protected, norm).max() <= limit + 1e-5
    if isinstance(plugin, GradientProtection):
        assert protected.linf.min() > 0
        if plugin.granularity == "image":  # the others have no random start: they moved by it
            assert slope(plugin, photos.images, context()).abs().max() > 0


@pytest.mark.parametrize("name", ours("purifiers"))
def test_a_purifier_purifies(name, any_model, kind, kinds, create, tmp_path):
    plugin = create("purifiers", PURIFIERS[name].replace("{photos}", str(tmp_path)))
    photos, context = photos_and_context(any_model, PurifierConformance, plugin)
    if name == "dir":
        published(photos.images, tmp_path / "a")
        plugin.receive_names("a", [f"{index:03d}" for index in range(len(photos.images))])
    if name == "pdm-pure":
        pixel_unet.new(3, 3, (8, 8)).save_pretrained(tmp_path)
    if name == "auto":
        plugin.members = plugin.members[:3]  # what the others need is tested by their own rows
    reason = plugin.skip(any_model)
    if name == "noisy-upscaling":
        assert reason == NEEDS_UPSCALER
        return
    if name in ("adverse-cleaner", "learned") and reason:
        pytest.skip(reason)
    assert reason is None
    purified = plugin(photos.images, context()).images
    check_images(name, "output", purified, like=photos.images)
    assert torch.equal(purified, round_to_8bit(purified))
    if kind == repeats_on(name, kinds):
        assert torch.equal(purified, plugin(photos.images, context()).images)
    unchanged = torch.equal(purified, photos.images)
    # `auto` and `learned` may leave images alone that look unprotected, as these do.
    assert name in ("auto", "learned") or unchanged == (name in ("none", "exec", "dir"))


def slope(plugin, images, context):
    """The objective's gradient where a perturbation may lie, a level beside the images: at them
    some objectives are at rest."""
    streams = per_image_generators(torch.Generator().manual_seed(1), len(images))
    state = plugin.prepare(images, context, streams)
    point = (images + 1 / 255).clamp(0, 1).requires_grad_(True)
    loss = plugin.loss(state, point, 0, streams)
    assert loss.shape == (len(images),)
    (gradient,) = torch.autograd.grad(loss.sum(), point)
    assert gradient.isfinite().all()
    return gradient * plugin.movable(images, context)


def published(images, folder):
    """`images` as 000.png, 001.png, … of a folder."""
    from PIL import Image

    from impress_bench.benchmark.pixels import to_pixels

    folder.mkdir()
    for index, pixels in enumerate(to_pixels(images)):
        Image.fromarray(pixels).save(folder / f"{index:03d}.png")
