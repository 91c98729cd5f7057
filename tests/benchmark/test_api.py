"""build, protect, purify, evaluate: whatever images come as, under one budget or several."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from contexts import context
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from impress_bench.attacks import Chain, Jpeg, Purifier
from impress_bench.benchmark import build, evaluate, protect, purify
from impress_bench.benchmark.api.inputs import read_images
from impress_bench.benchmark.api.masks import read_masks
from impress_bench.benchmark.api.results import ImageResult, Sweep
from impress_bench.benchmark.contract import Budget, PluginError, State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.pixels import to_pixels, to_tensor
from impress_bench.protections import (
    BlurGuard,
    Consistency,
    Glaze,
    GradientProtection,
    OPgd,
    PhotoGuardEncoder,
    Protection,
    Surrogates,
)
from impress_bench.protections.solvers.pgd import Pgd

ENCODER = "photoguard-encoder[steps=2]"


@pytest.fixture(scope="module")
def model(tiny_model):
    tiny = tiny_model(torch.float32)
    tiny.reconstruct = lambda images, chain="vae", generator=None: tiny.decode(tiny.encode(images))
    return tiny


@pytest.fixture(scope="module")
def pixels(smooth_images):
    return to_pixels(smooth_images(2, 16))


class Offset(Protection):
    """Moves every value by its `levels`, towards the middle, plus its own noise's zero."""

    name = "offset"

    def __init__(self, levels=3):
        self.budget = Budget(linf=8 / 255)
        self.levels = levels

    def perturb(self, images, context):
        context.note("brightness", images.mean((1, 2, 3)).tolist())
        self.seen = context
        return (images + torch.where(images > 0.5, -1, 1) * self.levels / 255).clamp(0, 1)


class Towards(GradientProtection):
    """Unregistered: pushes latents to zero."""

    name = "towards"

    def __init__(self):
        self.budget = Budget(linf=4 / 255)
        self.solver = Pgd(2, 1 / 255, linf=4 / 255, random_start=False)

    def prepare(self, images, context, generators):
        return context.require_model(self.name)

    def loss(self, state, x, step, generators):
        return state.encode(x).square().flatten(1).mean(dim=1)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


# Inputs


def test_every_form_of_image_is_the_same_image(pixels, tmp_path):
    for index, one in enumerate(pixels):
        (tmp_path / f"{index}.png").write_bytes(png(one))
    (tmp_path / "notes.txt").write_text("no image")
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    forms = [
        pixels,
        pixels / 255,
        (pixels / 255).astype(np.float32),
        list(pixels),
        tensor,
        tensor / 255,
        (tensor.double() / 255).requires_grad_(),
        [Image.fromarray(one) for one in pixels],
        [tmp_path / "0.png", str(tmp_path / "1.png")],
        tmp_path,
        [pixels[0], tensor[1]],
    ]
    for form in forms:
        np.testing.assert_array_equal(read_images(form).images, pixels)
    assert read_images(tmp_path).names == ("0", "1")
    assert read_images(pixels).names == ("000", "001")
    assert read_images([tmp_path / "0.png"] * 2).names == ("0-000", "0-001")


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (np.zeros((4, 4)), r"grey by np\.stack"),
        (np.zeros((3, 4, 5)), r"moveaxis\(images, -3, -1\)"),
        (np.zeros((4, 4, 4)), r"images\[\.\.\., :3\]"),
        (np.zeros((4, 4, 3), int), "uint8 or floating, not int64"),
        (np.full((4, 4, 3), 200.0), "divide by 255"),
        (np.full((4, 4, 3), -0.5), r"\(x \+ 1\) / 2"),
        (np.full((4, 4, 3), np.nan), "NaN or infinite"),
        (torch.zeros(4, 4, 3), "permute it"),
        ([np.zeros((4, 4, 3)), np.zeros((4, 6, 3))], r"unlike sizes.*4 x 4 .*4 x 6"),
        ([], "there is none"),
        (3, "int is not understood"),
        ("nowhere.png", "does not exist"),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 9)), "partly transparent"),
        (Image.new("F", (4, 4)), "mode F"),
    ],
)
def test_what_cannot_be_read_names_the_remedy(images, complaint):
    with pytest.raises(ConfigError, match=complaint):
        read_images(images)


def test_broken_files_and_empty_folders_are_named(tmp_path):
    with pytest.raises(ConfigError, match="holds no image"):
        read_images(tmp_path)
    (tmp_path / "phone.heic").write_bytes(b"heic")
    with pytest.raises(ConfigError, match=r"phone\.heic: \.heic is not read; convert it"):
        read_images(tmp_path)
    (tmp_path / "phone.heic").unlink()
    (tmp_path / "torn.png").write_bytes(b"\x89PNG torn")
    with pytest.raises(ConfigError, match=r"torn\.png: no image format"):
        read_images(tmp_path)


def test_masks_in_every_form_keep_the_same(pixels, tmp_path):
    kept = np.zeros((2, 16, 16), bool)
    kept[0, :4], kept[1, 4:] = True, True
    (tmp_path / "a.png").write_bytes(png(kept[1].astype(np.uint8) * 255))
    (tmp_path / "b.png").write_bytes(png(kept[0].astype(np.uint8) * 255))
    grey = (kept * 255).astype(np.uint8)
    named = read_images(pixels)
    for form in (kept, kept.astype(float), grey, torch.from_numpy(kept), list(map(_pil, grey))):
        np.testing.assert_array_equal(read_masks(form, named), kept)
    files = read_images([_pil(one) for one in pixels])
    ordered = type(files)(files.images, ("b", "a"))
    np.testing.assert_array_equal(read_masks(tmp_path, ordered), kept)
    with pytest.raises(ConfigError, match="none for 000"):
        read_masks(tmp_path, named)
    with pytest.raises(ConfigError, match=r"masks: 1 of 16 x 16 for 2 images"):
        read_masks(kept[:1], named)
    with pytest.raises(ConfigError, match="that of 001 keeps nothing"):
        read_masks(np.stack([kept[0], ~(kept[0] | True)]), named)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"a\.png the file is empty"):
        read_masks(tmp_path, ordered)


def _pil(pixels):
    return Image.fromarray(pixels)


# Building


def test_build_gives_what_is_written():
    glaze = build("glaze[p=0.07]")
    assert isinstance(glaze, Glaze)
    assert glaze.requires() == ()
    adapted = build("glaze+consistency[weight=40]")
    assert adapted.name == Consistency(weight=40)(Glaze(), "glaze").name
    chain = build("jpeg[quality=60]>gaussian-noise")
    assert isinstance(chain, Chain)
    assert [type(one).name for one in chain.purifiers] == ["jpeg", "gaussian-noise"]
    assert build("glaze+o-pgd").requires() == ("glaze",)


def test_a_preset_fills_what_the_spec_leaves_open():
    assert build("photoguard-encoder", preset="quick").solver.steps == 20
    assert build("photoguard-encoder[steps=3]", preset="quick").solver.steps == 3
    default = PhotoGuardEncoder().solver.steps
    assert build("photoguard-encoder").solver.steps == default != 20


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("glase", "Unknown protection or purifier 'glase'. Did you mean: glaze"),
        ("glaze[q=1]", "parameter of protection 'glaze': 'q'"),
        ("exec[command='x {in} {out}']", "say which by kind="),
        ("jpeg+consistency", "only a protection can be adapted"),
        ("glaze[surrogate=atelier-second]", "model=, not as its surrogate"),
    ],
)
def test_what_cannot_be_built_says_why(spec, complaint):
    with pytest.raises(ConfigError, match=complaint):
        build(spec)


def test_a_name_of_both_kinds_is_built_by_kind():
    spec = "exec[command='x {in} {out}']"
    assert isinstance(build(spec, kind="protection"), Protection)
    assert isinstance(build(spec, kind="purifier"), Purifier)


# Protecting and purifying


def test_protect_is_the_plugin_called_by_hand(pixels, model):
    plugin = Offset()
    result = protect(
        pixels, plugin, model=model, titles=["a", "b"], masks=np.eye(16)[None].repeat(2, 0)
    )
    byhand = Offset()(to_tensor(pixels), context())
    np.testing.assert_array_equal(result.images, to_pixels(byhand.images))
    np.testing.assert_allclose(result.l2, byhand.l2, rtol=1e-6)
    np.testing.assert_allclose(result.lpips, byhand.lpips, rtol=1e-6)
    np.testing.assert_allclose(result.linf, 3 / 255, rtol=1e-5)
    np.testing.assert_array_equal(result.originals, pixels)
    assert plugin.seen.titles == ("a", "b")
    assert plugin.seen.masks.shape == (2, 16, 16)
    frame = result.frame()
    assert list(frame) == ["spec", "image", "linf", "l2", "lpips", "brightness"]
    assert frame["image"].tolist() == ["000", "001"]


def test_seeds_repeat_and_differ_and_leave_global_states_alone(pixels, model):
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    once, again, other = (
        protect(pixels, ENCODER, model=model, seed=seed).images for seed in (0, 0, 1)
    )
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()


def test_budgets_are_the_same_protection_with_each_bound(pixels, model):
    sweep = protect(pixels, ENCODER, model=model, budgets=["2/255", 8 / 255])
    assert list(sweep) == ["2/255", "8/255"]
    alone = protect(pixels, "photoguard-encoder[steps=2,linf=8/255]", model=model)
    np.testing.assert_array_equal(sweep["8/255"].images, alone.images)
    for budget, bound in {"2/255": 2, "8/255": 8}.items():
        moved = np.abs(sweep[budget].images.astype(int) - pixels)
        assert 0 < moved.max() <= bound
    frame = sweep.frame()
    assert frame["budget"].tolist() == [2 / 255, 2 / 255, 8 / 255, 8 / 255]
    with pytest.raises(KeyError, match="the budgets are 2/255, 8/255"):
        sweep["4/255"]


@pytest.mark.parametrize(
    ("spec", "budgets", "complaint"),
    [
        ("identity", ["4/255"], "'identity' has no parameter 'linf'"),
        ("glaze[linf=8/255]", ["4/255"], "names linf itself"),
        (Offset(), ["4/255"], "pass a spec"),
        ("glaze", "4/255", "give a list"),
        ("glaze", [], "give a list"),
        ("glaze", ["much"], "'much' is no number"),
        ("glaze", ["8"], "did you mean 8/255"),
    ],
)
def test_budgets_that_cannot_be_set_say_why(pixels, model, spec, budgets, complaint):
    with pytest.raises((ConfigError, PluginError), match=complaint):
        protect(pixels, spec, model=model, budgets=budgets)


def test_adaptations_that_need_other_results_get_them(pixels, model):
    spec = f"{ENCODER}+o-pgd[steps=2]"
    written = protect(pixels, spec, model=model)
    base = PhotoGuardEncoder(steps=2)
    composed = protect(pixels, OPgd(steps=2)(base, "any label"), model=model)
    np.testing.assert_array_equal(written.images, composed.images)
    assert "o-pgd-success" in written.notes
    own = protect(pixels, OPgd(steps=2)(Towards(), "towards"), model=model)
    assert own.linf.max() <= 4 / 255 + 1e-6
    noise = protect(pixels, f"random-noise[match={ENCODER}]", model=model)
    assert (noise.lpips >= protect(pixels, ENCODER, model=model).lpips - 1e-6).all()


def test_further_models_are_loaded_by_their_names(smooth_images):
    spec = f"{ENCODER}+surrogates[models=atelier-second]+blurguard[steps=3,sigma_steps=1]"
    images = smooth_images(1, 64)
    written = protect(images, spec)
    many = Surrogates(models="atelier-second")(PhotoGuardEncoder(steps=2), "base")
    composed = protect(images, BlurGuard(steps=3, sigma_steps=1)(many, "any label"))
    np.testing.assert_array_equal(written.images, composed.images)
    with pytest.raises(ConfigError, match="atelier is one of the models already"):
        protect(images, f"{ENCODER}+surrogates[models=atelier]")


def test_purify_sees_no_originals_and_passes_them_on(pixels, model):
    result = protect(pixels, Offset(), model=model)
    purified = purify(result, "jpeg[quality=60]>bit-depth", model=model)
    np.testing.assert_array_equal(purified.originals, pixels)
    plain = purify(result.images, "jpeg[quality=60]>bit-depth", model=model)
    np.testing.assert_array_equal(plain.images, purified.images)
    assert plain.originals is None
    moved = np.abs(purified.images.astype(int) - result.images).reshape(2, -1).max(axis=1) / 255
    np.testing.assert_allclose(purified.linf, moved, rtol=1e-6)
    sweep = purify(Sweep({"3/255": result}), Jpeg(quality=60), model=model)
    np.testing.assert_array_equal(
        sweep["3/255"].images, purify(result, "jpeg[quality=60]", model=model).images
    )


def test_kinds_and_plugins_that_do_not_fit_are_refused(pixels, model):
    with pytest.raises(ConfigError, match="jpeg is a purifier; pass it to purify"):
        protect(pixels, "jpeg", model=model)
    with pytest.raises(ConfigError, match="glaze is a protection; pass it to protect"):
        purify(pixels, "glaze", model=model)
    with pytest.raises(ConfigError, match=r"pass Offset\(…\)"):
        protect(pixels, Offset, model=model)
    with pytest.raises(ConfigError, match="titles: 1 for 2 images"):
        protect(pixels, Offset(), model=model, titles=["a"])
    with pytest.raises(PluginError, match="needs an upscaler") as caught:
        purify(pixels, "noisy-upscaling", model=model)
    assert caught.value.state is State.SKIPPED
    with pytest.raises(PluginError, match="over budget"):
        protect(pixels, Offset(levels=9), model=model)


def test_a_note_that_is_not_one_value_per_image_is_the_plugins_fault(pixels, model):
    class Chatty(Offset):
        def perturb(self, images, context):
            context.note("odd", [1.0])
            return images

    with pytest.raises(PluginError, match="offset: note odd is not one value per image: 1 for 2"):
        protect(pixels, Chatty(), model=model)

    class Telling(Jpeg):
        name = "telling"
        said = (1.0, 2.0)

        def purify(self, images, context):
            context.note("said", self.said)
            return super().purify(images, context)

    purifier = Telling()
    assert purify(pixels, purifier, model=model).notes["said"].tolist() == [1.0, 2.0]
    purifier.said = (1.0,)
    with pytest.raises(PluginError, match="telling: note said is not one value per image: 1 for 2"):
        purify(pixels, purifier, model=model)


def test_an_unfit_size_is_named_where_a_plugin_fails(pixels, model):
    class Picky(Offset):
        def perturb(self, images, context):
            raise RuntimeError("size mismatch")

    model.image_size = 64
    try:
        with pytest.raises(PluginError, match=r"images of 16 x 16, .* 64 x 64.*size mismatch"):
            protect(pixels, Picky(), model=model)
    finally:
        del model.image_size


def test_saved_images_read_back(pixels, model, tmp_path):
    result = protect(pixels, Offset(), model=model)
    paths = result.save(tmp_path / "out")
    np.testing.assert_array_equal(read_images(paths).images, result.images)
    paths = Sweep({"3/255": result}).save(tmp_path / "sweep")
    assert paths[0] == tmp_path / "sweep" / "3-255" / "000.png"


# Evaluating


def test_evaluate_against_independent_figures(pixels, model):
    result = protect(pixels, Offset(), model=model)
    frame = evaluate(result, metrics=["psnr", "ssim"])
    assert list(frame) == ["spec", "image", "linf", "l2", "lpips", "psnr", "ssim"]
    expected = [peak_signal_noise_ratio(a, b) for a, b in zip(pixels, result.images, strict=True)]
    np.testing.assert_allclose(frame["psnr"], expected, rtol=1e-5)
    change = (result.images.astype(float) - pixels) / 255
    np.testing.assert_allclose(frame["l2"], np.sqrt((change**2).sum((1, 2, 3))), rtol=1e-5)
    np.testing.assert_allclose(frame["lpips"], result.lpips, rtol=1e-5)
    other = evaluate(result, result, metrics=[])
    assert (other[["linf", "lpips"]] == 0).all(axis=None)
    swept = evaluate(Sweep({"3/255": result}), metrics=[])
    assert swept["budget"].tolist() == [3 / 255] * 2


def test_evaluate_measures_consistency_with_a_model(smooth_images):
    from impress_bench.benchmark import load_model

    atelier = load_model("atelier")
    images = smooth_images(1, 64)
    frame = evaluate(images, images, metrics=[], model=atelier)
    with torch.no_grad():
        seen = atelier.reconstruct(images).clamp(0, 1)
    assert frame["vae-error"][0] == pytest.approx(float((seen - images).square().mean()), rel=1e-4)
    assert set(frame) >= {"ldm-error", "clean-lpips"}


def test_evaluate_asks_for_a_reference_and_known_metrics(pixels):
    with pytest.raises(ConfigError, match="pass the clean images"):
        evaluate(pixels)
    with pytest.raises(ConfigError, match=r"Unknown metric 'psn'\. Did you mean: psnr"):
        evaluate(pixels, pixels, metrics=["psn"])
    with pytest.raises(ConfigError, match="lpips is measured always"):
        evaluate(pixels, pixels, metrics=["lpips"])
    with pytest.raises(ConfigError, match=r"metrics: vif-p: .*at least 41.*; leave it out"):
        evaluate(pixels, pixels)
    with pytest.raises(ConfigError, match="reference: 1 for 2 images"):
        evaluate(pixels, pixels[:1])
    with pytest.raises(ConfigError, match="clip-score compares images with texts"):
        evaluate(pixels, pixels, metrics=["clip-score"])
    with pytest.raises(ConfigError, match="16 x 16, the images compared with it 16 x 8"):
        evaluate(pixels[:, :, :8], pixels)


@pytest.mark.parametrize(
    ("metric", "outcome"),
    [
        (lambda images, reference: (images - reference).abs().amax((1, 2, 3)), None),
        (lambda images, reference: [1.0], "gap: did not return one value per image"),
        (lambda images, reference: 1 / 0, "gap: failed .ZeroDivisionError"),
    ],
)
def test_registered_metrics_are_measured_or_named(pixels, monkeypatch, metric, outcome):
    component = SimpleNamespace(create=lambda: metric)
    registry = SimpleNamespace(
        entries={"metrics": {"gap": []}}, resolve=lambda group, spec: component
    )
    monkeypatch.setattr("impress_bench.benchmark.api.evaluate.Registry", lambda: registry)
    if outcome is None:
        frame = evaluate(pixels, pixels[::-1], metrics=["gap"])
        np.testing.assert_allclose(frame["gap"], frame["linf"], rtol=1e-5)
    else:
        with pytest.raises(PluginError, match=outcome):
            evaluate(pixels, pixels, metrics=["gap"])


def test_results_show_what_they_are(pixels, model):
    result = protect(pixels, Offset(), model=model)
    assert isinstance(result, ImageResult)
    assert repr(result).startswith("<offset: 2 images of 16 x 16, L-infinity up to 3/255, LPIPS")
    assert len(result) == 2
