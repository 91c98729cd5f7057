"""A plugin's wheel, read without installing it: is it what it is said to be, and nothing more?

Installing a wheel copies its files beside everybody else's. One that brings a module of another
package replaces it without a warning; one that brings a `.pth` file runs code in every process.
"""

from __future__ import annotations

import ast
import configparser
import sys
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.plugins.libraries import Libraries
from impress_bench.benchmark.harness.plugins.scaffold import RUN_BY_THEMSELVES
from impress_bench.benchmark.harness.plugins.source_digest import SourceIndex, code_digest
from impress_bench.benchmark.harness.storage.keys import sha256

NAMESPACE = "impress_bench"
#: Of one file of metadata, of all files together unpacked, and how many of them.
METADATA_BYTES, UNPACKED_BYTES, FILES = 2**20, 4 * 2**30, 20_000


class Wheel(NamedTuple):
    """What a wheel says of itself."""

    name: str
    version: str
    sha256: str


def read_wheel(path: Path, kind: str, plugin: str, distribution: str, version: str = "") -> Wheel:
    """The wheel at `path`, which must hold the `distribution`, in this `version` if one is given,
    and register `plugin` as a `kind` of plugin.

    Raises ConfigError with everything that is wrong with it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--wheel: {path}: {error.strerror}") from None
    try:
        with zipfile.ZipFile(path) as archive:
            given, number, complaints = _read(archive, kind, plugin)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        told = f"--wheel: {path} is no wheel ({error}); build one with `python -m build --wheel`"
        raise ConfigError(told) from None
    if canonicalize_name(given) != canonicalize_name(distribution):
        complaints.append(f"it holds the distribution {given!r}, not {distribution!r}")
    elif version and number != version:
        complaints.append(f"it holds {given} {number}, not the version that ran, {version}")
    try:
        named, numbered, *_ = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        complaints.append(str(error))
    else:
        if (named, str(numbered)) != (canonicalize_name(given), number):
            complaints.append(f"its file name is not that of {given} {number}")
    if complaints:
        raise ConfigError(f"--wheel: {path}: " + "; ".join(complaints))
    return Wheel(given, number, sha256(content))


def module_apart(path: Path, module: str) -> str:
    """The first of the modules that `module` reaches which the wheel at `path` lacks, or holds with
    other code than is installed here; "" if there is none. Compiled ones are other bytes each time
    that they are built, and not compared."""
    index = SourceIndex()
    with zipfile.ZipFile(path) as archive:
        names = {*archive.namelist()}
        tops = frozenset(PurePosixPath(name).parts[0].removesuffix(".py") for name in names)
        for name in index.closure(module, tops):
            found = index.module(name)
            if found is None or found.tree is None or name.partition(".")[0] not in tops:
                continue
            place = "/".join([*found.package.split("."), found.path.name]).lstrip("/")
            if place not in names:
                return f"{name}, which it lacks"
            try:
                held = ast.parse(_member(archive, place, UNPACKED_BYTES))
            except SyntaxError:
                return name
            if code_digest(found._replace(tree=held)) != code_digest(found):
                return name
    return ""


def _read(archive: zipfile.ZipFile, kind: str, plugin: str) -> tuple[str, str, list[str]]:
    """Name, version, and what is wrong with the rest. Raises ValueError for what is no wheel."""
    names = archive.namelist()
    if len(names) > FILES or sum(info.file_size for info in archive.infolist()) > UNPACKED_BYTES:
        raise ValueError("it is too large")
    folders = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    if len(folders) != 1:
        raise ValueError(f"it has {len(folders)} .dist-info folders")
    (info,) = folders
    metadata = BytesParser().parsebytes(_member(archive, f"{info}/METADATA"))
    if not metadata["Name"] or not metadata["Version"]:
        raise ValueError("its METADATA has no name or no version")
    entries = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    entries.optionxform = str  # type: ignore[assignment,method-assign]
    if f"{info}/entry_points.txt" in names:
        entries.read_string(_member(archive, f"{info}/entry_points.txt").decode("utf-8"))
    complaints = list(_strangers(names, info))
    group = f"{NAMESPACE}.{kind}s"
    target = entries.get(group, plugin, fallback="")
    own = {PurePosixPath(name).parts[0] for name in names if name}
    top = target.partition(":")[0].partition(".")[0].strip()
    if not target:
        complaints.append(f"it registers no {kind} {plugin!r} under {group}")
    elif not {top, f"{top}.py"} & own:
        complaints.append(f"{plugin} = {target} is no module of this wheel")
    return str(metadata["Name"]), str(metadata["Version"]), complaints


def _member(archive: zipfile.ZipFile, name: str, most: int = METADATA_BYTES) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"it has no {name}") from None
    if info.file_size > most:
        raise ValueError(f"its {name} is larger than {most // 2**20} MiB")
    with archive.open(info) as file:
        return file.read(most + 1)


def _strangers(names: list[str], info: str) -> Iterator[str]:
    """Files that are not the package's own."""
    seen: set[str] = set()
    for name in names:
        path = PurePosixPath(name)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name:
            yield f"{name!r} is no path within the package"
            continue
        top = path.parts[0]
        if top == info or top in seen:
            continue
        seen.add(top)
        module = top.partition(".")[0]
        if top.endswith((".dist-info", ".data", ".egg-info")):
            yield f"{top}/ is installed outside of the package; leave it out"
        elif len(path.parts) == 1 and not top.endswith(".py") and not _extension(top):
            yield f"{top} is no module; put it into the package"
        elif module in _taken():
            yield f"{top} is another's: {_taken()[module]}; rename the package"
        elif len(path.parts) > 1 and not top.isidentifier():
            yield f"{top}/ is no package"


def _extension(name: str) -> bool:
    return name.endswith((".so", ".pyd"))


@cache
def _taken() -> dict[str, str]:
    """Top-level modules that are there already, and whose they are."""
    standard = dict.fromkeys(sys.stdlib_module_names, "Python's")
    special = dict.fromkeys(RUN_BY_THEMSELVES, "run by itself")
    # Every file that anybody has installed is read for this: once.
    owners = {name: [*map(canonicalize_name, by)] for name, by in packages_distributions().items()}
    needed = Libraries().closure([OURS])
    judging = {name: ", ".join(by) for name, by in owners.items() if needed & {*by}}
    return {**judging, **standard, **special, NAMESPACE: OURS}
