"""AdvPaint: its loop written out."""

from __future__ import annotations

import pytest
import torch
from contexts import context

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import AdvPaint

WANTED = ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn2.to_q")


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


def test_the_loop_is_the_released_one(model, smooth_images):
    """One photo at a time on [-1, 1] pixels, with the draws in the order of ours."""
    images, titles = smooth_images(2, 32), ["a hill", "a boat"]
    keep = torch.zeros(2, 32, 32, dtype=torch.bool)
    keep[:, 6:26, 4:20] = True
    protection = AdvPaint(steps=3)
    given = context(5, model=model, masks=keep, titles=titles)
    got = protection.solver.solve(protection, images, given)
    streams = per_image_generators(torch.Generator().manual_seed(5), 2)
    unet, seen = model.inpainting_unet, {}
    hooks = [
        layer.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
        for name, layer in unet.named_modules()
        if name.endswith(WANTED)
    ]
    assert len(hooks) % 4 == 0
    ddim = model.ddim()
    ddim.set_timesteps(50)
    first = ddim.timesteps[:1]
    try:
        for image, title, stream, kept, made in zip(
            images, titles, streams, keep, got, strict=True
        ):
            text = model.embed(["", title]).tensors["text"]
            mask = 1 - kept[None, None].float()
            small = torch.nn.functional.interpolate(mask, (8, 8))

            def run(x, text=text, mask=mask, small=small, stream=stream):
                def draw(x):
                    posterior = model.pipeline.vae.encode(x).latent_dist
                    noise = torch.randn(posterior.mean.shape[1:], generator=stream)
                    return model.latent_scale * (posterior.mean + posterior.std * noise)

                with torch.no_grad():
                    z = draw(x)
                    noise = torch.randn(z.shape[1:], generator=stream)[None]
                    noisy = model.pipeline.scheduler.add_noise(z, noise, first)
                masked = draw(x * (mask < 0.5))
                seen.clear()
                joined = torch.cat([torch.cat([noisy, small, masked], 1)] * 2)
                unet(joined, first[0], encoder_hidden_states=text)
                return dict(seen)

            source = 2 * image[None] - 1
            with torch.no_grad():
                clean = run(source)
            start = torch.rand(3, 32, 32, generator=stream)
            adv = source + 0.06 * (2 * start - 1) * (1 - mask)
            adv = adv.clamp(-1, 1)
            for i in range(3):
                adv = adv.detach().requires_grad_(True)
                found = run(adv)
                norms = [(found[name] - clean[name]).norm(p=2) for name in found]
                (slope,) = torch.autograd.grad(-sum(norms) / (len(norms) / 4), adv)
                rate = 0.03 - (0.03 - 0.03 / 100) / 3 * i
                adv = adv - rate * slope.sign() * (1 - mask)
                adv = (source + (adv - source).clamp(-0.06, 0.06)).clamp(-1, 1)
            assert ((adv[0] + 1) / 2 - made).abs().max() < 1e-5
            assert (made - image).abs().max() > 0.01
            assert torch.allclose(made[:, ~kept], image[:, ~kept], atol=1e-6)
    finally:
        for hook in hooks:
            hook.remove()


def test_a_model_that_cannot_inpaint_is_skipped(smooth_images):
    from flow import Flow

    with pytest.raises(PluginError, match="cannot inpaint") as caught:
        AdvPaint(steps=1)(smooth_images(1, 16), context(model=Flow()))
    assert caught.value.state is State.SKIPPED


def test_bad_parameters():
    with pytest.raises(ValueError, match="diffusion_steps must be"):
        AdvPaint(diffusion_steps=0)
