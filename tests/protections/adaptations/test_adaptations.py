"""Compositions over any gradient protection."""

from __future__ import annotations

import pytest
import torch
from objectives import Aim

from impress_bench.benchmark import Context, load_model
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.protections import Glaze, Identity
from impress_bench.protections.adaptations.consistency import Consistency
from impress_bench.protections.adaptations.o_pgd import OPgd
from impress_bench.protections.objectives.disagreement import disagreement
from impress_bench.protections.solvers.pgd import Pgd


def test_what_states_no_objective_is_skipped():
    with pytest.raises(PluginError, match="identity is not stated as an objective") as caught:
        OPgd()(Identity(), "identity")
    assert caught.value.state is State.SKIPPED


def test_adaptations_compose_and_leave_the_base_alone(problem):
    images, target, _, context = problem
    base = Aim(target)
    both = OPgd(steps=2)(Consistency(weight=2.0)(base, "aim"), "aim+consistency")
    assert both.name == "aim+consistency+o-pgd"
    assert both.requires() == ("aim+consistency",)
    assert isinstance(base.solver, Pgd)
    results = {"aim+consistency": Consistency(weight=2.0)(base, "aim")(images, context)}
    given = Context(torch.Generator().manual_seed(0), context.model, results=results)
    assert (both(images, given).linf <= 0.1 + 1e-6).all()


def test_what_the_base_is_asked_comes_from_the_base():
    class Choosy(Aim):
        def skip(self, subject, model):
            return f"not for {subject}"

        def receive_names(self, subject, names):
            self.given = (subject, names)

    base = Choosy(torch.zeros(1))
    adapted = Consistency()(base, "choosy")
    assert adapted.skip("ada", None) == "not for ada"
    adapted.receive_names("ada", ("one",))
    assert base.given == ("ada", ("one",))


@pytest.mark.parametrize("term", [None, Consistency(weight=2.0)])
def test_comparing_losses_leaves_the_callers_protection_alone(term):
    """Orthogonal PGD takes means; whoever made the protection goes on with samples."""
    glaze = Glaze()
    base = glaze if term is None else term(glaze, "glaze")
    adapted = OPgd()(base, "glaze")
    assert glaze.sample
    compared = adapted.base if term is None else adapted.base.base
    assert not compared.sample
    assert (compared.target, compared.solver) == (glaze.target, glaze.solver)


def test_glaze_on_the_atelier_becomes_more_consistent(smooth_images):
    """Both adaptations, a few steps: disagreement below plain GLAZE's, on published images."""
    model, images = load_model("atelier"), smooth_images(2, 64)
    settings = {"target": "engraving", "steps": 15, "lr": 0.02, "transfer_steps": 2}
    settings |= {"linf": 16 / 255, "p": 0.1}

    noted: dict[str, list[float]] = {}

    def context(**results):
        draw = torch.Generator().manual_seed(0)
        return Context(draw, model, results=results, note=lambda k, v: noted.update({k: list(v)}))

    plain = Glaze(**settings)(images, context())
    ones = torch.ones(2, 1, 1, 1)
    before = disagreement(model, plain.images, ones, []).mean(1)
    consistent = Consistency(weight=100.0)(Glaze(**settings), "glaze")(images, context())
    orthogonal = OPgd(steps=10, step=1 / 255)(Glaze(**settings), "glaze")(
        images, context(glaze=plain)
    )
    assert noted["o-pgd-success"] == [1, 1]
    for protected in (consistent, orthogonal):
        assert (disagreement(model, protected.images, ones, []).mean(1) < before).all()
