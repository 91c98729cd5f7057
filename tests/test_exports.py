"""What a plugin is written with comes from the packages themselves, and imports no torch."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

PACKAGES = ("impress_bench.benchmark", "impress_bench.protections", "impress_bench.attacks")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_a_package_lists_is_there(package):
    module = import_module(package)
    for name in module.__all__:
        assert getattr(module, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Glase'"):
        module.Glase  # noqa: B018


def test_what_plugins_need_is_exported():
    from impress_bench.benchmark import ImageSet, Metric, PluginError, Task
    from impress_bench.protections import AdamHinge, Budget, GradientProtection, Pgd, Solver

    assert issubclass(Pgd, Solver)
    assert issubclass(AdamHinge, Solver)
    assert issubclass(PluginError, Exception)
    assert all((ImageSet, Metric, Task, Budget, GradientProtection))


def test_importing_the_packages_imports_no_torch():
    code = f"import sys, {', '.join(PACKAGES)}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
