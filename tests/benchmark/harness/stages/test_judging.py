"""What is measured of a plugin's images is measured by the benchmark, apart from it or not."""

import pytest
import torch

from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.storage.image_codec import to_tensor
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.metrics import lpips_budget


@pytest.mark.parametrize("isolate", [False, True])
def test_lpips_is_not_what_a_plugin_says(bench, isolate):
    """The fake says the mean difference, which is another number."""
    values = {"protections": ["shift"], "purifiers": ["keep"], "subjects": 1, "isolate": isolate}
    moved = bench.run(**values).protections
    stages = make_plan(bench.preset(**values), Registry()).stages.values()
    images = {
        stage.kind: to_tensor(Store(bench.store).get(stage.key).images)
        for stage in stages
        if stage.kind in ("original", "protect")
    }
    with torch.no_grad():
        expected = lpips_budget(images["protect"], images["original"])
    assert moved["lpips"].tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    change = (images["protect"] - images["original"]).abs().flatten(1)
    assert moved["linf"].tolist() == pytest.approx(change.amax(1).tolist(), abs=1e-6)
    assert moved["lpips"].tolist() != pytest.approx(change.mean(1).tolist(), rel=0.2)
