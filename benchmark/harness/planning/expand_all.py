"""`--all`: every registered protection and purifier, and adaptations of the listed protections."""

from __future__ import annotations

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.spec import Spec, parse_spec


def expanded(preset: Preset, registry: Registry) -> Preset:
    """`preset` with every installed plugin added to its lists, if it sets `everything`, and with
    every adaptation of the protections that it lists itself.

    A list that a flag gave is left as it is. Adaptations that inject another plugin are left out,
    as is a plugin that cannot be adapted (such as a control) or lacks a required value. A broken
    plugin stays, so that its cells show the reason.
    """
    if not preset.everything:
        return preset
    lists = {
        "protections": _all_protections(preset, registry),
        "purifiers": _with_all(preset, registry, "purifiers"),
    }
    chosen = {
        field: [str(spec) for spec in dict.fromkeys(specs)]
        for field, specs in lists.items()
        if field not in preset.overrides
    }
    return preset.override(preset.overrides, everything=False, **chosen)


def _all_protections(preset: Preset, registry: Registry) -> list[Spec]:
    """Every protection, then each that is listed with every adaptation that applies to it. All with
    all would be some eighty rows, of which most adapt what nobody protects with."""
    adaptations = [
        Spec(name)
        for name in sorted(registry.entries["adaptations"])
        if not _injects(registry, name)
    ]
    listed = preset.specs("protections")
    adapted = [parse_spec(f"{spec}+{adaptation}") for spec in listed for adaptation in adaptations]
    return [
        *_with_all(preset, registry, "protections"),
        *[spec for spec in adapted if _applies(preset, registry, "protections", spec)],
    ]


def _with_all(preset: Preset, registry: Registry, field: str) -> list[Spec]:
    """The components that the preset lists, then every registered name that it does not mention."""
    listed = preset.specs(field)
    mentioned = {spec.name for spec in listed}
    others = [Spec(name) for name in registry.entries[field] if name not in mentioned]
    return [*listed, *[spec for spec in others if _applies(preset, registry, field, spec)]]


def _applies(preset: Preset, registry: Registry, field: str, spec: Spec) -> bool:
    """Whether the spec is valid, broken plugins included."""
    try:
        registry.resolve(field, spec, preset.settings.of(""))
    except PluginError as error:
        return error.state is not State.SKIPPED
    except ConfigError:
        return False
    return True


def _injects(registry: Registry, name: str) -> bool:
    """Whether an adaptation injects another plugin, which `--all` does not choose."""
    try:
        return bool(registry.resolve("adaptations", Spec(name)).injected)
    except (PluginError, ConfigError):
        return True
