"""The recipes' loop: a resumed run is the undisturbed one."""

import pytest
import torch

from impress_bench.benchmark.atelier.train.loop import Schedule, load_ema, train


def run(folder, steps, stop_after=None, origin=""):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    calls = 0

    def loss(generator):
        nonlocal calls
        calls += 1
        if calls == stop_after:
            raise KeyboardInterrupt
        inputs = torch.randn(8, 4, generator=generator)
        return (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()

    schedule = Schedule(steps=steps, lr=0.05, warmup=5)
    outcome = train({"linear": model}, loss, schedule, folder, origin, checkpoint_every=10)
    return outcome, model


def test_learns_the_sum(tmp_path):
    outcome, model = run(tmp_path, 400)
    torch.testing.assert_close(model.weight, torch.ones(1, 4), atol=0.02, rtol=0)
    load_ema({"linear": model}, outcome.ema)
    torch.testing.assert_close(model.weight, torch.ones(1, 4), atol=0.02, rtol=0)


def test_resumed_run_equals_an_undisturbed_one(tmp_path):
    undisturbed, expected = run(tmp_path / "whole", 30)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", 30, stop_after=18)
    resumed, model = run(tmp_path / "cut", 30)
    assert torch.equal(model.weight, expected.weight)
    for name, value in undisturbed.ema.items():
        assert torch.equal(resumed.ema[name], value)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    model = torch.nn.Linear(1, 1)
    with pytest.raises(FloatingPointError, match="step 0"):
        train(
            {"linear": model},
            lambda generator: model(torch.full((1, 1), float("nan"))).mean(),
            Schedule(steps=1, lr=0.1),
            tmp_path,
        )


def test_a_checkpoint_of_another_origin_is_put_aside(tmp_path, capsys):
    run(tmp_path, 20, origin="one encoder")
    run(tmp_path, 20, origin="one encoder")
    assert "resumed at step 20" in capsys.readouterr().out
    _, expected = run(tmp_path / "fresh", 20)
    _, model = run(tmp_path, 20, origin="another encoder")
    assert "started afresh" in capsys.readouterr().out
    assert torch.equal(model.weight, expected.weight)
    assert (tmp_path / "stale.safetensors").exists()
