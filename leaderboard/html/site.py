"""A folder of pages that a browser opens from the disk: no server, no network, no other files than
its own."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from packaging.version import InvalidVersion, Version

from impress_bench.leaderboard.html.heat import LEVELS
from impress_bench.leaderboard.html.pictures import FOLDER
from impress_bench.leaderboard.html.sheet import Sheet, Source, sheet_of
from impress_bench.leaderboard.html.texts import inline, slug
from impress_bench.leaderboard.render import write_board, write_text

HERE = Path(__file__).parent
#: The scripts of a page, in the order in which they are read.
SCRIPTS = (
    "state.js", "statistics.js", "tables.js", "exports.js", "views.js", "pictures.js", "details.js",
    "compare.js", "start.js",
)  # fmt: skip
FORMATS = ("md", "csv", "json", "tex")
#: The folder of the pages of earlier releases, each in a folder of its name.
RELEASES = "releases"


def write_site(sources: Sequence[Source], folder: Path | str) -> list[Path]:
    """Write one page per set of results into `folder`, the first as index.html.

    Beside a page lies a folder of its name with the boards as files, its pictures and its
    provenance. Pages of earlier releases that lie in `releases`/NAME/ of the folder are linked, the
    latest first. Equal results are equal bytes. Returns the paths of the files. Raises ValueError
    without results, for two of one name, and for tables that boards cannot be written from.
    """
    folder = Path(folder)
    if not sources:
        raise ValueError("a page needs results, and there are none")
    names = [source.name for source in sources]
    if len(set(names)) < len(names) or any(slug(name) != name or not name for name in names):
        raise ValueError(f"names of pages are unlike and of small letters, digits, dashes: {names}")
    files = ["index.html", *(f"{name}.html" for name in names[1:])]
    sheets = [sheet_of(source) for source in sources]
    links = [(file, sheet.title) for file, sheet in zip(files, sheets, strict=True)]
    script, style = _scripts(), (HERE / "assets" / "page.css").read_text(encoding="utf-8")
    template = _environment().get_template("page.html.j2")
    written: list[Path] = []
    for source, sheet, file in zip(sources, sheets, files, strict=True):
        place = folder / source.name
        for board in sheet.written:
            written += write_board(board, place / "boards", FORMATS)
        written += _copied(source, sheet, place)
        text = template.render(
            sheet=sheet, file=file, links=links, script=script, style=style, levels=LEVELS,
            policy=_policy(script, style), provenance=(place / "provenance.json").is_file(),
            releases=releases_in(folder),
        )  # fmt: skip
        written.append(write_text(folder / file, text))
    return written


def releases_in(folder: Path) -> list[tuple[str, str]]:
    """The pages of earlier releases in a folder of pages and their names, the latest version first
    and what is no version last."""
    pages = [
        (page.parent.name, page.relative_to(folder))
        for page in folder.glob(f"{RELEASES}/*/index.html")
    ]
    return [(quote(page.as_posix()), name) for name, page in sorted(pages, key=_age, reverse=True)]


def _age(page: tuple[str, Path]) -> tuple[bool, Version, str]:
    name = page[0]
    try:
        return True, Version(name), name
    except InvalidVersion:
        return False, Version("0"), name


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"inline": inline, "slug": slug}
    return environment


def _scripts() -> str:
    """All scripts as one, which leaves no names behind."""
    parts = [(HERE / "assets" / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def _policy(script: str, style: str) -> str:
    """A content security policy by which nothing runs but our script: what a name or a reason may
    hold of markup has no effect even if it were not escaped."""
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (script, style)
    ]
    return (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}';"
        " img-src 'self' file: data:; base-uri 'none'; form-action 'none'"
    )


def _copied(source: Source, sheet: Sheet, place: Path) -> list[Path]:
    """The pictures and the provenance of a set of results, beside its page."""
    if source.folder is None:
        return []
    wanted = [f"figures/{strip.file}" for strip in sheet.strips]
    named = {name for one in sheet.album.pictures for name in (one.given, one.made) if name}
    wanted += [f"{FOLDER}/{name}" for name in sorted(named)]
    wanted += [name for name in ("provenance.json",) if (source.folder / name).is_file()]
    written = []
    for name in dict.fromkeys(wanted):
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.resolve() != (source.folder / name).resolve():
            shutil.copyfile(source.folder / name, target)
        written.append(target)
    return written
