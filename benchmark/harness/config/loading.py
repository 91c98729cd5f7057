"""Loads presets: those that come with the package, and the user's files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from impress_bench.benchmark.errors import ConfigError, unknown
from impress_bench.benchmark.harness.config.preset import Preset, unknown_key, validated
from impress_bench.benchmark.texts import EncodingError, read_text


def shipped_presets() -> dict[str, Path]:
    """Files of the presets that come with the package, by name."""
    folder = Path(str(files("impress_bench.benchmark.presets")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_preset(name: str | Path) -> Preset:
    """A shipped preset by name, or the one in a TOML file. Raises ConfigError."""
    shipped = shipped_presets()
    path = shipped.get(str(name), Path(name))
    if path.suffix != ".toml":
        raise ConfigError(unknown("preset", str(name), shipped) + ", or the path of a .toml file")
    content = _inherited(path, shipped)
    preset = validated({"name": path.stem, **content, "origin": str(path)}, str(path))
    preset.check_rows()
    return preset


def _inherited(
    path: Path, shipped: Mapping[str, Path], below: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The content of a preset file, merged over that of the shipped ones it extends."""
    content = _read(path)
    if "extends" not in content:
        return content
    base = str(content.pop("extends"))
    if base not in shipped:
        raise ConfigError(f"{path}: extends: {unknown('preset', base, shipped)}")
    if base in below:
        raise ConfigError(f"{path}: extends: {base} extends itself by {' > '.join(below)}")
    return _merged(_inherited(shipped[base], shipped, (*below, base)), content)


def _read(path: Path) -> dict[str, Any]:
    """The content of a preset file."""
    try:
        content = tomllib.loads(read_text(path).replace("\r\n", "\n"))
    except OSError as error:
        raise ConfigError(f"preset {path}: {error.strerror}") from None
    except EncodingError as error:
        raise ConfigError(f"preset {path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"preset {path}: not a TOML file: nested too deeply") from None
    except ValueError as error:
        raise ConfigError(f"preset {path}: not a TOML file: {error}") from None
    for reserved in ("origin", "overrides"):
        if reserved in content:
            raise ConfigError(f"{path}: {unknown_key((reserved,))}")
    return content


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`; tables are merged key by key, lists and values are replaced."""
    tables = [{key for key in part if isinstance(part[key], dict)} for part in (base, changes)]
    merged = {key: _merged(base[key], changes[key]) for key in tables[0] & tables[1]}
    return {**base, **changes, **merged}
