"""Hooks: what a plugin may define, and the defaults for what it leaves out."""

from __future__ import annotations

import pytest

from impress_bench.attacks import Jpeg
from impress_bench.benchmark.contract import (
    Budget,
    PluginHooks,
    ProtectionHooks,
    PurifierHooks,
    hooks,
)
from impress_bench.protections import Glaze, Identity


class Bare:
    """Built on no base class."""

    title = "Bare metal"

    def skip(self, subject, model):
        return f"{subject} is no portrait"


def test_what_a_plugin_leaves_out_has_its_default():
    bare = hooks(Bare(), ProtectionHooks)
    assert bare.title == "Bare metal"
    assert bare.skip("ada", None) == "ada is no portrait"
    assert bare.requires() == ()
    assert bare.budget == Budget()
    assert (bare.control, bare.granularity, bare.files, dict(bare.injects)) == (
        False,
        "image",
        (),
        {},
    )
    assert bare.receive_names("ada", ("000",)) is None
    with pytest.raises(AttributeError):
        bare.requiers  # noqa: B018


def test_base_classes_and_classes_themselves_have_them_too():
    assert hooks(Identity(), ProtectionHooks).control
    assert hooks(Glaze, PluginHooks).title == "GLAZE"
    assert hooks(Jpeg(), PurifierHooks).skip(None) is None
    assert hooks(lambda: None, PluginHooks).title == ""
