"""Measuring a model."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from impress_bench.benchmark.errors import ConfigError


@click.command()
@click.argument("model")
@click.argument("images", type=click.Path(path_type=Path))
@click.option("--count", default=8, show_default=True, type=click.IntRange(min=2), help="Of them.")
@click.option("--steps", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--device", default="cpu", show_default=True, type=click.Choice(["cpu", "cuda"]))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, a record per image.")
def susceptibility(
    model: str, images: Path, count: int, steps: int, device: str, as_json: bool
) -> None:
    """How far bounded perturbations move MODEL's latents on the pictures in the folder IMAGES.

    Signed gradients at 4, 8 and 16/255, to zero latents and to another picture's. A model is a
    registered name, a folder or a hub id. On Stable Diffusion at 512 px a GPU takes minutes.
    """
    from impress_bench.benchmark.api.inputs import named_pixels
    from impress_bench.benchmark.api.susceptibility import susceptibility as measure
    from impress_bench.benchmark.harness.config.devices import device_problem
    from impress_bench.benchmark.harness.execution.progress import duration

    if problem := device_problem(device):
        raise ConfigError(f"--device {device}: {problem}")
    began = time.monotonic()

    def progress(done: int, total: int) -> None:
        left = (time.monotonic() - began) / done * (total - done)
        click.echo(f"[{done}/{total}] attacks, {duration(left)} left", err=True)

    chosen = [pixels for _, pixels in named_pixels(images)[:count]]
    found = measure(model, chosen, steps=steps, device=device, progress=progress)
    if as_json:
        click.echo(json.dumps(found.to_dict("records"), indent=1))
        return
    means = found.drop(columns="image").groupby(["radius", "target"], sort=False).mean()
    click.echo(f"Means over {len(chosen)} pictures; shares of squared distances.")
    click.echo(means.reset_index().to_markdown(index=False, floatfmt=".3f"))
