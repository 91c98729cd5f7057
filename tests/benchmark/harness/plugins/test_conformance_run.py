"""What `impress-bench check` prints: each cause once, with the plugin's file and line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.conformance_run import check, resolve
from impress_bench.benchmark.harness.plugins.registry import Registry

CODE = """
from impress_bench.protections import Budget, Protection

class Raising(Protection):
    name = "raising"
    def perturb(self, images, context):
        raise RuntimeError("the paint ran out")

class Loud(Protection):
    name = "loud"
    budget = Budget(linf=1 / 255)
    def perturb(self, images, context):
        return (images + 20 / 255).clamp(0, 1)

class Unbuildable(Protection):
    name = "unbuildable"
    def __init__(self):
        self.budget = Budget(linf=16)
    def perturb(self, images, context):
        return images
"""


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("glaze[surrogate=atelier-second]", "leave the surrogate out"),
        ("glaze+surrogates[models=atelier-second]", "leave out what needs atelier-second"),
    ],
)
def test_checks_run_on_the_atelier_alone(spec, told):
    with pytest.raises(ConfigError, match=told):
        resolve(spec, {}, Registry())


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("Raising", "RuntimeError: the paint ran out (/there/my_cloak.py:7)"),
        ("Loud", "loud: over budget, image 0: linf 0.07843 > 0.003922"),
        ("Unbuildable", "did you mean 16/255? (/there/my_cloak.py:18)"),
    ],
)
def test_a_cause_is_printed_once(kind, failure):
    module = {"__name__": "my_cloak"}
    exec(compile(CODE, "/there/my_cloak.py", "exec"), module)
    component = SimpleNamespace(
        kind="protection", label="mine", target=f"my_cloak:{kind}", create=module[kind]
    )
    failed = [verdict for verdict in check(component) if verdict.failure]
    assert len(failed) > 5
    assert failure in failed[0].failure
    assert not failed[0].repeated
    others = {verdict.failure for verdict in failed[1:] if verdict.repeated}
    assert others == {"for the same reason as 'answers with valid images'"}
    assert sum(verdict.repeated for verdict in failed) >= len(failed) - 2
