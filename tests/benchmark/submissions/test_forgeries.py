"""Forged submissions: each is refused, and told by file, field and way out."""

import csv
import io
import time
from pathlib import Path

import pytest

from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.submissions.reading import read

PIN = {"git": "https://example.org/sample-cloak.git", "commit": "0123456789" * 4}
GIT = f'git = "{PIN["git"]}"\ncommit = "{PIN["commit"]}"'
OWN = {"protection": "sample-cloak"}
PSNR = {**OWN, "metric": "psnr"}
TOP = {**OWN, "metric": "clip-top1"}


def told(folder):
    """The complaints about a submission."""
    return [str(complaint) for complaint in read(folder).complaints]


def edit(folder, old, new, file="submission.toml"):
    """Change a text; where the file is one with a digest, the digest follows."""
    path = folder / file
    content = path.read_text()
    assert old in content
    replace(folder, file, content.replace(old, new, 1))


def replace(folder, file, content):
    """Replace a file, and its digest."""
    path = folder / file
    before = sha256(path.read_bytes())
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if file != "submission.toml":
        edit(folder, before, sha256(path.read_bytes()))


def rows(folder, change, file="cells.csv"):
    """Replace the lines of a table by what `change` makes of a list of dictionaries."""
    lines = list(csv.DictReader((folder / file).read_text().splitlines()))
    columns = list(lines[0])
    lines = change(lines)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    replace(folder, file, text.getvalue())


def setting(where, file="cells.csv", **values):
    """A change of the first line that has the values of `where`: a forgery for `FORGED`."""

    def change(lines):
        line = next(one for one in lines if where.items() <= one.items())
        line.update(values)
        return lines

    return lambda folder: rows(folder, change, file)


def without(file="cells.csv", **where):
    """A change that leaves out all lines that have these values."""
    return lambda folder: rows(
        folder, lambda lines: [one for one in lines if not where.items() <= one.items()], file
    )


def renamed(folder):
    return folder.rename(folder.with_name("another"))


def linked(folder):
    target = folder.parent / "elsewhere.csv"
    (folder / "cells.csv").rename(target)
    (folder / "cells.csv").symlink_to(target)


def doubled(folder):
    rows(folder, lambda lines: [lines[0], *lines])


def provenance(old, new):
    return lambda folder: edit(folder, old, new, "provenance.json")


def toml(old, new):
    return lambda folder: edit(folder, old, new)


def reason(text):
    return setting(PSNR, value="", state="failed", reason=text)


def summary(text):
    return toml('summary = "', f'summary = "{text} ')


#: How it is forged, and what is said.
FORGED = {
    "renamed": (renamed, "submission.toml: name: 'sample-cloak' is not the folder's name"),
    "a name that escapes": (
        toml('name = "sample-cloak"', 'name = "../../sample-cloak"'),
        "submission.toml: name: '../../sample-cloak' does not match",
    ),
    "the name of the folder above": (
        lambda f: (edit(f, 'name = "sample-cloak"', 'name = "submissions"'), f)[1],
        "submission.toml: name: 'submissions' is a name of the benchmark's own",
    ),
    "a name that is shown as another": (
        lambda f: (
            edit(f, 'name = "sample-cloak"', 'name = "identity"'),
            f.rename(f.with_name("identity")),
        )[1],
        "submission.toml: name: 'identity' is a name of the benchmark's own; register another",
    ),
    "a name without end": (
        toml('name = "sample-cloak"', f'name = "{"x" * 5000}"'),
        "submission.toml: name: String should have at most 40 characters",
    ),
    "a link": (linked, "cells.csv: is a link; put the file itself here"),
    "a further file": (
        lambda f: (f / "setup.py").write_text("import os"),
        "setup.py: does not belong here",
    ),
    "a file too few": (lambda f: (f / "distances.csv").unlink(), "distances.csv: is missing"),
    "an enormous table": (
        lambda f: (f / "cells.csv").write_bytes(b"x" * (8 * 2**20 + 1)),
        "cells.csv: is larger than 8192 KiB",
    ),
    "an enormous description": (
        lambda f: (f / "submission.toml").write_bytes(b"#" * (2**14 + 1)),
        "submission.toml: is larger than 16 KiB",
    ),
    "no TOML": (toml("name =", "name"), "submission.toml: is no TOML file"),
    "numbers without end": (
        toml("kind =", f"x = {'9' * 5000}\nkind ="),
        "submission.toml: is no TOML file",
    ),
    "tables without end": (
        toml("kind =", f"x{'.a' * 5000} = 1\nkind ="),
        "submission.toml: x: is no field of a submission; leave it out",
    ),
    "lists without end": (
        lambda f: replace(f, "provenance.json", "[" * 10**5),
        "provenance.json: cannot be read: ",
    ),
    "an unknown field": (
        toml("kind =", 'kindness = "great"\nkind ='),
        "submission.toml: kindness: is no field of a submission; leave it out",
    ),
    "a line break in a field": (
        toml("kind =", '"a\\n::error::b" = 1\nkind ='),
        "submission.toml: a\\x0a::error::b: is no field of a submission; leave it out",
    ),
    "a line break in a table's field": (
        toml("[distribution]", '[distribution]\n"a\\n::error::b" = 1'),
        "submission.toml: distribution.a\\x0a::error::b: is no field of a submission",
    ),
    "a missing field": (
        toml('licence = "Apache-2.0"\n', ""),
        "submission.toml: licence: is missing",
    ),
    "no licence": (toml('"Apache-2.0"', '""'), "submission.toml: licence: "),
    "an unknown licence": (
        toml('"Apache-2.0"', '"Mine alone"'),
        "submission.toml: licence: Invalid license expression",
    ),
    "a licence of a megabyte": (
        toml('"Apache-2.0"', f'"MIT{" OR MIT" * 30}"'),
        "submission.toml: licence: String should have at most 200 characters",
    ),
    "an unpinned version": (
        toml(GIT, 'version = "1.0"'),
        "submission.toml: distribution: must be pinned",
    ),
    "a range of versions": (
        toml(GIT, f'version = ">=1.0"\nsha256 = "{"ab" * 32}"'),
        "submission.toml: distribution.version: is no exact version",
    ),
    "a version with a line break": (
        toml(GIT, f'version = "1.0\\n--index-url=x"\nsha256 = "{"ab" * 32}"'),
        "submission.toml: distribution.version: ",
    ),
    "pinned twice": (
        toml("git =", f'version = "1.0"\nsha256 = "{"ab" * 32}"\ngit ='),
        "submission.toml: distribution: must be pinned",
    ),
    "a branch for a commit": (
        toml(PIN["commit"], "main"),
        "submission.toml: distribution.commit: 'main' is not the whole hash of a commit",
    ),
    "a file for an address": (
        toml(PIN["git"], "file:///etc"),
        "submission.toml: distribution.git: 'file:///etc' is not the plain https address",
    ),
    "an address that pip expands": (
        toml(PIN["git"], "https://example.org/${HOME}"),
        "submission.toml: distribution.git: 'https://example.org/${HOME}' is not the plain https",
    ),
    "an address with options": (
        toml(PIN["git"], "https://example.org/x --index-url=https://x"),
        "submission.toml: distribution.git: ",
    ),
    "a paper that ends its link": (
        toml("[distribution]", 'paper = "https://x.org/a)[b](c"\n[distribution]'),
        "submission.toml: paper: ",
    ),
    "a wrong hash of the cells": (
        lambda f: (f / "cells.csv").write_text((f / "cells.csv").read_text() + "\n"),
        "submission.toml: claims.cells: cells.csv has the SHA-256",
    ),
    "a wrong hash of the provenance": (
        lambda f: (f / "provenance.json").write_text("{}"),
        "submission.toml: claims.provenance: provenance.json has the SHA-256",
    ),
    "another benchmark": (
        toml('benchmark = "', 'benchmark = "9.'),
        "submission.toml: claims.benchmark: 9.",
    ),
    "a preset of one's own": (
        toml('preset = "quick"', 'preset = "kind"'),
        "submission.toml: claims.preset: 'kind' is not shipped",
    ),
    "results from another preset": (
        toml('preset = "quick"', 'preset = "mini"'),
        "provenance.json: preset.name: 'quick' is not the preset claimed, 'mini'",
    ),
    "settings of one's own": (
        provenance('"threads": ', '"threads": 7'),
        "provenance.json: preset.threads: is not as in quick",
    ),
    "another model": (
        provenance('"digest": "', '"digest": "0'),
        "provenance.json: models.protection.digest: is another model's",
    ),
    "another pack": (
        lambda f: edit(f, '"pack": "', f'"pack": "{"0" * 64}",\n "not_pack": "', "provenance.json"),
        "provenance.json: not_pack: is no field of a submission",
    ),
    "results of another pack": (
        lambda f: replace(
            f,
            "provenance.json",
            "\n".join(
                f' "pack": "{"0" * 64}",' if line.startswith(' "pack"') else line
                for line in (f / "provenance.json").read_text().splitlines()
            ),
        ),
        "provenance.json: pack: is another pack's; run with the one that this version ships",
    ),
    "a provenance that is no table": (
        lambda f: replace(f, "provenance.json", "[1]"),
        "provenance.json: cannot be read: it holds no table",
    ),
    "a provenance without packages": (
        provenance('"packages"', '"parcels"'),
        "provenance.json: packages: is missing",
    ),
    "a provenance with a checkout": (
        provenance('"started"', '"git": {"commit": "<b>markup</b>"},\n "started"'),
        "provenance.json: git: is no field of a submission; leave it out",
    ),
    "markup in a provenance": (
        provenance('"python": "', '"python": "<img src=x>'),
        "provenance.json: python: ",
    ),
    "a line break in a provenance": (
        provenance('"device": "cpu"', '"device": "c\\npu"'),
        "provenance.json: cannot be read: 'c\\npu'",
    ),
    "a key twice": (
        provenance('"started"', '"key_schema": 9,\n "started"'),
        "provenance.json: cannot be read: it names a key twice",
    ),
    "a line break in a key": (
        provenance('"started"', '"a\\n::error::b": 1,\n "started"'),
        "provenance.json: cannot be read: 'a\\n::error::b'… is no printable line",
    ),
    "a line break in a component's name": (
        provenance('"protection sample-cloak"', '"protection a\\n::error::b"'),
        "provenance.json: cannot be read: 'protection a\\n::error::b'… is no printable line",
    ),
    "a line break in a key of the preset": (
        provenance('"threads"', '"a\\n::error::b"'),
        "provenance.json: cannot be read: 'a\\n::error::b'… is no printable line",
    ),
    "a preset that cannot be one": (
        provenance('"seeds": [\n   0\n  ]', '"seeds": []'),
        "provenance.json: seeds: ",
    ),
    "run with another version": (
        provenance('"impress-bench": "', '"impress-bench": "9.'),
        "provenance.json: packages.impress-bench: is not the version claimed",
    ),
    "another distribution's plugin": (
        toml('name = "sample-cloak"\ngit', 'name = "harmless"\ngit'),
        "provenance.json: components.protection sample-cloak: is of the distribution",
    ),
    "a version that was not run": (
        toml(GIT, f'version = "1.1"\nsha256 = "{"ab" * 32}"'),
        "was run in version 1.0, not in the one pinned, 1.1",
    ),
    "an epsilon in levels": (
        provenance('"linf": 0.03', '"linf": 16.03'),
        "provenance.json: components.protection sample-cloak: linf=16.0314 lies outside [0, 1]",
    ),
    "markup": (summary("<img src=x>"), "summary: must be one line of plain text"),
    "a link in the summary": (summary("see [x](y)"), "summary: must be one line of plain text"),
    "an address in the summary": (
        summary("see https://example.org"),
        "summary: must be one line of plain text",
    ),
    "a line break in the summary": (summary("a\\nb"), "summary: must be one line of plain text"),
    "text that runs backwards": (summary("\u202e"), "summary: must be one line of plain text"),
    "other columns": (
        lambda f: edit(f, "task,subject", "subject,task", "cells.csv"),
        "cells.csv: cannot be read: its first line is",
    ),
    "a column too many": (
        lambda f: edit(f, ",done,\n", ",done,,x\n", "cells.csv"),
        "cells.csv: cannot be read: line 2 has 10 columns, not 9",
    ),
    "somebody else's row": (
        setting(OWN, protection="glaze"),
        "protection 'glaze' is none of the preset quick",
    ),
    "a task that names a file": (
        setting(OWN, task="x/../../escaped"),
        "task 'x/../../escaped' is nothing that a run writes there",
    ),
    "a task of another preset": (
        setting(OWN, task="sculpture"),
        "task 'sculpture' is none of the preset quick",
    ),
    "a subject that nobody knows": (
        setting({**OWN, "task": "malicious-editing"}, subject="photo-77"),
        "subject 'photo-77' is none of the preset quick",
    ),
    "a purifier of one's own": (
        setting(OWN, purifier="nothing"),
        "purifier 'nothing' is none of the preset quick",
    ),
    "the best of many seeds": (setting(OWN, seed="7"), "seed '7' is none of the preset quick"),
    "a metric of one's own": (
        setting(PSNR, metric="beauty"),
        "metric 'beauty' is none of the preset quick",
    ),
    "another spelling": (
        setting(OWN, protection="sample-cloak[side=02]"),
        "protection 'sample-cloak[side=02]' is written 'sample-cloak[side=2]'",
    ),
    "a link in a row's name": (
        setting(OWN, protection="sample-cloak[a=http://x.org]"),
        "is nothing that a run writes there",
    ),
    "a cell twice": (doubled, "cells.csv: line 3: names what is there already"),
    "no number": (setting(PSNR, value="inf"), "value 'inf' is nothing that a run writes"),
    "done without a value": (setting(PSNR, value=""), "has the value '' and the state done"),
    "a state of one's own": (
        setting(PSNR, state="splendid"),
        "state 'splendid' is nothing that a run writes there",
    ),
    "a cell that was not run": (
        setting(PSNR, value="", state="missing", reason="not run yet"),
        "state 'missing' is nothing that a run writes there",
    ),
    "nothing claimed": (without(seed="0"), "cells.csv: cannot be read: it claims nothing"),
    "none of its own": (without(**OWN), "cells.csv: holds no row of protection 'sample-cloak'"),
    "one metric of one subject": (
        lambda f: rows(f, lambda lines: [one for one in lines if PSNR.items() <= one.items()]),
        "cells.csv: lacks ",
    ),
    "without its worst purifier": (
        without(**OWN, purifier="impress"),
        "cells.csv: lacks 15 of 309 cells, the first style-mimicry Odile Fontaine sample-cloak"
        " impress 0 clip-top1; run the preset quick as it is shipped, with --protections"
        " 'identity,random-noise[match=sample-cloak,within=mask],sample-cloak'",
    ),
    "without noise": (
        without(protection="random-noise[match=sample-cloak,within=mask]"),
        "cells.csv: lacks 90 of 309",
    ),
    "without the task that shows little": (
        without(task="malicious-editing"),
        "the first malicious-editing photo-01 control:other-seed",
    ),
    "without controls": (without(protection="control:own-works"), "cells.csv: lacks 9 of 309"),
    "without the clean row": (without(protection="identity"), "cells.csv: lacks 90 of 309"),
    "an impossible PSNR": (setting(PSNR, value="-73.5"), "psnr -73.5 lies outside [0, 89.0"),
    "an impossible SSIM": (
        setting({**OWN, "metric": "ssim"}, value="1.01"),
        "ssim 1.01 lies outside [-1, 1]",
    ),
    "an impossible VIFp": (
        setting({**OWN, "metric": "vif-p"}, value="-0.1"),
        "vif-p -0.1 lies outside [0, inf]",
    ),
    "a share above one": (setting(TOP, value="1.1"), "clip-top1 1.1 lies outside [0, 1]"),
    "a share of no image": (
        setting(TOP, value="0.123"),
        "clip-top1 0.123 is no multiple of 1/6, the share of one image",
    ),
    "a share of half an image": (
        setting({**OWN, "metric": "diffusion-top1"}, value="0.1"),
        "diffusion-top1 0.1 is no multiple of 1/2",
    ),
    "markup in a reason": (reason("<img src=x>"), "reason '<img src=x>' is no plain text"),
    "a link in a reason": (reason("[best](x)"), "reason '[best](x)' is no plain text"),
    "an image in a reason": (reason("![x](y)"), "is no plain text"),
    "an address in a reason": (reason("WWW.example.org"), "is no plain text"),
    "a reason without end": (reason("x" * 400), "reason is longer than 300 characters"),
    "a line break in a reason": (reason("a\nb"), "is nothing that a run writes there"),
    "a reason for success": (setting(PSNR, reason="luck"), "has the reason 'luck'"),
    "no distances": (without("distances.csv", **OWN), "distances.csv: lacks 2 of 6 rows"),
    "distances of fewer images": (
        without("distances.csv", **OWN, image="two"),
        "distances.csv: style-mimicry Odile Fontaine sample-cloak: lacks images",
    ),
    "distances of another row": (
        setting(OWN, "distances.csv", protection="sample-cloak[side=2]"),
        "distances.csv: style-mimicry Odile Fontaine sample-cloak[side=2]: is no row of cells.csv",
    ),
    "a distance in levels": (
        setting(OWN, "distances.csv", linf="8"),
        "distances.csv: line 4: linf 8 lies outside [0, 1]: an epsilon of 8 levels is 8/255",
    ),
    "a distance between levels": (
        setting(OWN, "distances.csv", linf="0.03"),
        "distances.csv: line 4: linf 0.03 is no multiple of 1/255",
    ),
    "an L2 below L-infinity": (
        setting(OWN, "distances.csv", l2="0.001"),
        "distances.csv: line 4: l2 0.001 is below linf",
    ),
    "an LPIPS of nothing": (
        setting(OWN, "distances.csv", lpips="0"),
        "distances.csv: line 4: lpips is 0 although linf is 0.0313725",
    ),
    "a clean image that moved": (
        setting({"protection": "identity"}, "distances.csv", linf="1", l2="1", lpips="0.1"),
        "distances.csv: style-mimicry Odile Fontaine identity: moves the clean images",
    ),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_is_wrong_is_told_by_its_place_and_soon(submission, case):
    forge, expected = FORGED[case]
    moved = forge(submission)
    folder = moved if isinstance(moved, Path) and moved.is_dir() else submission
    started = time.monotonic()
    complaints = told(folder)
    assert time.monotonic() - started < 10
    assert any(expected in line for line in complaints), complaints
    assert all(line.isprintable() and len(line) < 1000 for line in complaints)
