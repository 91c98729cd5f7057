"""Parameters of a component: given values and defaults, each in the type of its default."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from impress_bench.benchmark.errors import ConfigError, plugin_error, unknown
from impress_bench.benchmark.harness.storage.keys import canonical_json
from impress_bench.benchmark.spec import Value, parse_value

#: How a parameter that need not be set is unset, where a preset sets it: TOML has no null.
UNSET = ("none", "None", "null")


def bind_parameters(
    kind: str, name: str, factory: Callable[..., Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """All parameters of `factory`, from `given` and its defaults; `none` unsets an optional one.

    Raises ConfigError for an unknown, missing or mistyped one, PluginError if `factory` has no
    readable signature or a default that JSON cannot hold.
    """
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError) as error:
        raise plugin_error(kind, name, "has no readable signature", error) from error
    accepted = {
        parameter.name: parameter
        for parameter in signature.parameters.values()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }
    for key in given:
        if key not in accepted:
            raise ConfigError(unknown(f"parameter of {kind} {name!r}:", key, accepted))
    bound: dict[str, Any] = {}
    for key, parameter in accepted.items():
        default = parameter.default
        if key in given:
            what = f"{key} of {kind} {name!r}"
            optional = default is None
            if optional and given[key] in UNSET:
                bound[key] = None
            elif optional:
                bound[key] = _of_annotation(what, given[key], parameter.annotation)
            else:
                bound[key] = _coerce(what, given[key], default)
        elif default is parameter.empty:
            raise ConfigError(f"{kind} {name!r} needs a value: write {name}[{key}=…]")
        else:
            bound[key] = list(default) if isinstance(default, tuple) else default
    try:
        canonical_json(bound)
    except (TypeError, ValueError) as error:
        raise plugin_error(kind, name, "has a default that is no plain value", error) from error
    return bound


def _coerce(what: str, value: Any, default: Any) -> Any:
    """`value` in the type of `default`, so that `p=1` and `p=1.0` are the same setting."""
    wanted: type[Value] | None = None
    for candidate in (bool, int, float, str):
        if isinstance(default, candidate):
            wanted = candidate
            break
    if wanted in (int, float) and isinstance(value, str):
        value = parse_value(value)  # TOML has no fractions: "16/255" comes as a string
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted is not None and type(value) is not wanted:
        raise ConfigError(f"{what} must be of type {wanted.__name__}, not {value!r}")
    return value


def _of_annotation(what: str, value: Any, annotation: Any) -> Any:
    """`value` as the annotation of an optional parameter has it, `float | None` say; as it is where
    that names no plain type."""
    if isinstance(value, str):
        value = parse_value(value) if value.strip() else value
    text = annotation if isinstance(annotation, str) else str(annotation)
    named = [kind for kind in (bool, int, float, str) if re.search(rf"\b{kind.__name__}\b", text)]
    if "[" in text or not named:
        return value
    if float in named and int not in named and type(value) is int:
        return float(value)
    if type(value) not in named:
        known = " or ".join([*(kind.__name__ for kind in named), "none"])
        raise ConfigError(f"{what} must be {known}, not {value!r}")
    return value


def task_parameters(
    name: str, factory: Callable[..., Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of a task, validated by its own pydantic model. Raises ConfigError."""
    from pydantic import ValidationError

    settings = factory.Settings  # type: ignore[attr-defined]
    try:
        parameters: dict[str, Any] = settings(**given).model_dump(mode="json")
        settings(**parameters)  # once more with defaults written out, which pydantic trusts
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = list(settings.model_fields)
            raise ConfigError(unknown(f"setting of task {name!r}:", key, known)) from None
        raise ConfigError(f"{key} of task {name!r}: {first['msg']}") from None
    return parameters
