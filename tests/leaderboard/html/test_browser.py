"""The page in Chromium, opened from the disk. Skipped without Playwright and a Chromium: see the
extra `browser`."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

from impress_bench.leaderboard import Layout
from impress_bench.leaderboard.boards import matrix
from impress_bench.leaderboard.html import Source, write_site
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.render import interval_text, latex
from impress_bench.leaderboard.schema import CELLS
from impress_bench.leaderboard.statistics import paired_difference
from impress_bench.leaderboard.write import build_boards
from tests.leaderboard.html.conftest import album

playwright = pytest.importorskip(
    "playwright.sync_api", reason="no Playwright: pip install 'impress-bench[browser]'"
)
TASK = "style-mimicry"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    installed = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with playwright.sync_playwright() as driver:
        if installed is None and not Path(driver.chromium.executable_path).is_file():
            pytest.skip("no Chromium: apt-get install chromium, or playwright install chromium")
        started = driver.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def site(source: Source, tmp_path: Path) -> Path:
    """The small run, with pictures of one subject, a strip of another, and an earlier release."""
    from PIL import Image

    rows = {"identity": ["none"], "glaze": ["none", "impress"], "mist": ["none"]}
    album(tmp_path / "run", TASK, "artist-0", rows, side=8)
    strip = tmp_path / "run" / "figures" / f"{TASK}-artist-1.png"
    strip.parent.mkdir()
    Image.new("RGB", (40, 20)).save(strip)
    meta = source.meta.model_copy(update={"figures": {strip.name: "artist-1: learned from"}})
    whole = replace(source, meta=meta, folder=tmp_path / "run")
    earlier = tmp_path / "page" / "releases" / "v0.9.0"
    write_site([whole], earlier)
    write_site([whole], tmp_path / "page")
    return tmp_path / "page"


@pytest.fixture
def view(browser: Any, site: Path) -> Iterator[Any]:
    """Opens the page with a state and a width; it may log nothing and ask for nothing else."""
    context = browser.new_context(accept_downloads=True)
    faults: list[str] = []

    def visit(state: str = "", width: int = 1280, folder: Path = site) -> Any:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 844})
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(("file:", "blob:", "data:"))
                or faults.append(asked.url))  # fmt: skip
        page.goto((folder / "index.html").as_uri() + state)
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        return page

    yield visit
    context.close()
    assert faults == []


def until(page: Any, expression: str, value: object) -> None:
    """Waits up to five seconds; the page's policy forbids Playwright's own way, which evaluates
    texts in the page."""
    for _ in range(100):
        if page.evaluate(expression) == value:
            return
        page.wait_for_timeout(50)
    assert page.evaluate(expression) == value


def column(page: Any, table: str, place: int) -> list[str]:
    rows = page.locator(f"#{table} tbody tr:visible")
    return [rows.nth(at).locator("th, td").nth(place).inner_text() for at in range(rows.count())]


def test_sorting_goes_through_both_ways_and_back(view: Any) -> None:
    page = view()
    table = f"heat-{TASK}-clip-top3"
    given = column(page, table, 1)
    head = page.locator(f"#{table} thead th").nth(1)
    for order in ("ascending", "descending", "none"):
        head.locator("button").focus()
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == order
        shown = column(page, table, 1)
        numbers = [float(text.split()[0]) for text in shown if text[0].isdigit()]
        if order == "none":
            assert shown == given
        else:
            assert numbers == sorted(numbers, reverse=order == "descending")
            assert sorted(shown) == sorted(given)
            # What has no number stands last.
            assert [text[0].isdigit() for text in shown] == sorted(
                (text[0].isdigit() for text in shown), reverse=True
            )


def test_filtering_and_the_address(view: Any) -> None:
    page = view()
    section = page.locator("[data-board=heat]")
    section.get_by_label("Filter rows").fill("GLA")
    table = f"heat-{TASK}-clip-top3"
    assert column(page, table, 0) == ["GLAZE"]
    assert "1 of 5 rows" in section.locator("output").inner_text()
    page.locator(f"#{table} thead button").first.click()
    state = page.evaluate("location.hash")
    again = view(state)
    assert column(again, table, 0) == ["GLAZE"]
    assert again.locator(f"#{table} thead th").first.get_attribute("aria-sort") == "ascending"
    assert again.locator("[data-board=heat]").get_by_label("Filter rows").input_value() == "GLA"
    # An address that no click made does no harm.
    view(
        "#cell=%7Bx&row=<img>&a=1&sort.heat-x=9,z&task=none&metric=0&subject=x&q.glance=%25&at=<b>"
    )


def test_a_folded_board_works_once_it_is_open(view: Any) -> None:
    """By a click or by an address; until then it is text, so that a large page is soon ready."""
    page = view()
    board = page.locator("details[data-board^=matrix]").first
    assert board.locator("button").count() == 0
    board.locator("summary").click()
    board.locator("table thead button").first.click()
    board.get_by_label("Filter rows").fill("gla")
    board.locator("[data-protection=glaze] button.row").first.click()
    assert page.locator("#details h2").inner_text() == "GLAZE"
    page.keyboard.press("Escape")
    until(page, "location.hash.includes('row')", False)
    linked = view(page.evaluate("location.hash")).locator("details[data-board^=matrix]").first
    assert linked.get_attribute("open") is not None
    assert linked.locator("table thead th").first.get_attribute("aria-sort") == "ascending"
    assert linked.get_by_label("Filter rows").input_value() == "gla"
    shown = linked.locator("tbody tr:visible").all_text_contents()
    assert len(shown) == 1
    assert shown[0].strip().startswith("GLAZE")


def test_a_cell_opens_values_settings_and_command(view: Any, source: Source) -> None:
    page = view()
    button = page.locator("tr[data-protection=glaze] td[data-record] button").last
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#details")
    text = dialog.inner_text()
    assert "GLAZE, IMPRESS" in text
    assert [row.split("\t") for row in text.splitlines() if row.startswith("artist-")] == [
        ["artist-0", "60.0"], ["artist-1", "70.0"], ["artist-2", "80.0"],
    ]  # fmt: skip
    command = "--tasks style-mimicry --protections glaze --purifiers impress"
    assert command in dialog.locator(".command").inner_text()
    page.get_by_text("protection glaze", exact=True).click()
    assert "ca46937a" in dialog.inner_text()
    linked = view(page.evaluate("location.hash"))
    assert "GLAZE, IMPRESS" in linked.locator("#details").inner_text()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    until(page, "location.hash.includes('cell')", False)
    assert page.evaluate("document.activeElement.className") == "cell"


def test_a_row_opens_what_it_is_and_its_pictures(view: Any) -> None:
    page = view()
    page.locator("#glance-0 tr[data-protection=glaze] button.row").click()
    dialog = page.locator("#details")
    assert "Style cloak by feature distance." in dialog.inner_text()
    assert "438" in dialog.inner_text()
    page.wait_for_function(
        "[...document.querySelectorAll('dialog img')].every(i => i.naturalWidth == 8)"
    )
    slide = dialog.get_by_label("Left: Clean (given to the exploit)")
    slide.fill("20")
    cut = "document.querySelector('dialog .slide img + img').style.clipPath"
    assert page.evaluate(cut) == "inset(0px 0px 0px 20%)"
    dialog.get_by_label("Difference, amplified").fill("12")
    assert (
        page.evaluate("document.querySelector('dialog .difference').style.filter")
        == "brightness(12)"
    )
    assert page.evaluate("getComputedStyle(document.querySelector('.difference img + img'))"
                         ".mixBlendMode") == "difference"  # fmt: skip
    shown = dialog.get_by_label("Right").locator("option").all_inner_texts()
    assert shown == [
        f"{row} ({verb} the exploit)"
        for row in ("Clean", "GLAZE", "GLAZE, IMPRESS")
        for verb in ("given to", "made by")
    ]
    # What it sees, how it fared, and its ranks.
    text = " ".join(dialog.inner_text().split())
    assert "Sees of the model gradients of encoder; outputs of denoiser" in text
    assert "scored after IMPRESS" in text
    rank = page.locator(f"#ranks-{TASK}-clip-top3 tr[data-protection=glaze] td").first
    told = rank.text_content()  # out of sight no text is rendered
    assert f"No purifier {told}" in text
    assert " of 2" in told
    dialog.get_by_label("Subject").select_option(f"{TASK}/artist-1")
    assert "Picture strip: artist-1: learned from" in dialog.inner_text()
    dialog.get_by_label("Subject").select_option(f"{TASK}/artist-2")
    assert "has no pictures of artist-2" in dialog.inner_text()
    page.keyboard.press("Escape")
    page.locator("#methods-0 tr[data-purifier=impress] button.row").click()
    assert "gradients of LPIPS; outputs of encoder" in dialog.inner_text()
    assert "given back on GLAZE" in dialog.inner_text()
    linked = view(page.evaluate("location.hash"))
    assert "given back on GLAZE" in linked.locator("#details").inner_text()


def test_pictures_of_a_row_are_chosen_by_the_address(view: Any) -> None:
    """Subject and row of the pictures, the row that is open, and both sides of a comparison."""
    page = view()
    pictures = page.locator("#pictures")
    assert pictures.get_by_label("Row").input_value() == "glaze"
    pictures.get_by_label("Row").focus()
    pictures.get_by_label("Row").select_option("mist")
    assert pictures.get_by_label("Right").locator("option:checked").inner_text().startswith("mist")
    assert page.evaluate("document.activeElement.id") == "pictures-row"
    page.locator("#compare-a").select_option("mist")
    page.locator("#compare-b").select_option("glaze")
    page.locator("#compare-b-purifier").select_option("impress")
    told = page.locator("#compare .result").inner_text()
    page.locator("#choose-cost").select_option("seconds")
    again = view(page.evaluate("location.hash"))
    assert again.locator("#pictures").get_by_label("Row").input_value() == "mist"
    assert again.locator("#compare-a").input_value() == "mist"
    assert again.locator("#compare-b").input_value() == "glaze"
    assert again.locator("#compare-b-purifier").input_value() == "impress"
    assert again.locator("#compare .result").inner_text() == told
    assert again.locator("figure[data-plot=seconds]:visible").count() == 1
    assert again.locator("figure[data-plot=passes]:visible").count() == 0
    again.locator("#pictures").get_by_label("Subject").select_option(f"{TASK}/artist-1")
    again.locator("#glance-0 tr[data-protection=glaze] button.row").click()
    third = view(again.evaluate("location.hash"))
    subject = third.locator("#pictures").get_by_label("Subject")
    assert subject.input_value() == f"{TASK}/artist-1"
    assert third.locator("figure.strip:visible").count() == 1
    assert third.locator("#details h2").inner_text() == "GLAZE"


def saved(page: Any, button: Any, path: Path) -> tuple[str, str]:
    """The name and the text of what a button downloads."""
    with page.expect_download() as waiting:
        button.click()
    waiting.value.save_as(path)
    return waiting.value.suggested_filename, path.read_text(encoding="utf-8")


def test_comparisons_are_exported_with_their_result(view: Any, tmp_path: Path) -> None:
    page = view("#a=" + quote('["glaze","none"]') + "&b=" + quote('["identity","none"]'))
    box = page.locator("#compare")
    rows = [
        [cell.strip() for cell in row.locator("th, td").all_inner_texts()]
        for row in box.locator("tbody tr").all()
    ]
    assert len(rows) == 3
    told = box.locator(".result").inner_text()
    name, text = saved(page, box.locator("[data-export=json]"), tmp_path / "json")
    assert name == "mini-compare.json"
    (table,) = json.loads(text)
    assert table["rows"] == rows
    assert table["text"][0] == told
    assert table["columns"] == [box.locator("thead th").all_inner_texts()]
    _, text = saved(page, box.locator("[data-export=csv]"), tmp_path / "csv")
    assert list(csv.reader(text.splitlines()))[2:] == rows
    _, text = saved(page, box.locator("[data-export=tex]"), tmp_path / "tex")
    assert "% " + told in text.splitlines()
    assert text.count("artist-") == 3


def test_comparisons_are_those_of_the_statistics(view: Any, source: Source) -> None:
    """Any two conditions of published results: the very text that Python prints."""
    page = view()
    (records,) = page.evaluate("JSON.parse(document.getElementById('data').textContent).records")
    cells = records["cells"]
    names = page.evaluate("JSON.parse(document.getElementById('data').textContent)")
    subjects = names["tasks"][0]["subjects"]
    metric = source.meta.metrics[TASK][0]
    values = [
        {s: v for s, v in zip(subjects, cell["values"], strict=True) if v is not None}
        for cell in cells
    ]
    for one, other in [(0, 1), (3, 2), (5, 4), (4, 6), (1, 1), (len(cells) - 1, 0)]:
        for side, place in (("a", one), ("b", other)):
            page.locator(f"#compare-{side}").select_option(cells[place]["protection"])
            page.locator(f"#compare-{side}-purifier").select_option(cells[place]["purifier"])
        expected = interval_text(paired_difference(values[one], values[other]), metric.percent)
        assert page.locator("#difference").inner_text() == expected


def random_run(
    rows: int, purifiers: int, subjects: int, metric: dict[str, Any], parts: int = 16
) -> Source:
    generator = np.random.default_rng(7)
    # Multiples of 1 / parts, whose means and percentages are often half-way between two texts.
    places = [(f"cloak-{r}", "none" if p == 0 else f"purifier-{p}", s)
              for r in range(rows) for p in range(purifiers) for s in range(subjects)]  # fmt: skip
    values = generator.integers(0, parts + 1, len(places)) / parts
    table = CELLS.frame(
        (TASK, f"artist-{s}", protection, purifier, 0, "score", value, "done", None)
        for (protection, purifier, s), value in zip(places, values, strict=True)
    )
    meta = {"title": "Random", "preset": "mini", "metrics": {TASK: [metric]}}
    return Source("random", table, pd.DataFrame(), pd.DataFrame(), None, BoardMeta.of(meta))


@pytest.mark.parametrize(("subjects", "parts"), [(8, 16), (10, 20)])  # exact in binary, and not
@pytest.mark.parametrize("unit", ["%", "dB"])
def test_comparisons_round_as_python_does(
    view: Any, tmp_path: Path, unit: str, subjects: int, parts: int
) -> None:
    metric = {"name": "score", "title": "Score", "higher_is_better": True, "unit": unit}
    source = random_run(12, 1, subjects, metric, parts)
    write_site([source], tmp_path / "random")
    page = view(folder=tmp_path / "random")
    by_row = {
        str(name): dict(zip(rows["subject"], map(float, rows["value"]), strict=True))
        for name, rows in source.cells.groupby("protection")
    }
    names = sorted(by_row)
    for one, other in zip(names, [*names[1:], names[0]], strict=True):
        for side, name in (("a", one), ("b", other)):
            page.locator(f"#compare-{side}").select_option(name)
        expected = interval_text(paired_difference(by_row[one], by_row[other]), unit == "%")
        assert page.locator("#difference").inner_text() == expected


def test_the_view_is_exported_as_it_is_shown(view: Any, source: Source, tmp_path: Path) -> None:
    page = view()
    glance = page.locator("[data-board=glance]")

    def of(form: str) -> str:
        name, text = saved(page, glance.locator(f"[data-export={form}]"), tmp_path / form)
        assert name == f"mini-glance.{form}"
        return text

    board = next(
        one
        for one in build_boards(source.cells, source.protections, source.inspections, source.meta)
        if one.name == "glance"
    )
    block = board.blocks[0]
    # The whole view is the board's own LaTeX, blanks aside, and its sentences as comments.
    told = [*filter(None, [board.text, block.text])]
    lines = of("tex").splitlines()
    assert [line[2:] for line in lines[1 : 1 + len(told)]] == told
    assert " ".join([lines[0], *lines[1 + len(told) :]]).split() == latex(board).split()
    (table,) = json.loads(of("json"))
    assert table["text"] == told
    # Footnotes: of the heat map, where cells failed.
    heat = page.locator("[data-board=heat]")
    _, text = saved(page, heat.locator("[data-export=json]"), tmp_path / "heat.json")
    notes = matrix.build(source.cells, Layout(source.meta), TASK).blocks[0].footnotes.texts
    assert len(notes) > 0
    numbered = [f"[{at}] {note}" for at, note in enumerate(notes, 1)]
    assert json.loads(text)[0]["footnotes"] == numbered
    _, text = saved(page, heat.locator("[data-export=tex]"), tmp_path / "heat.tex")
    assert text.splitlines()[-len(notes) :] == [f"% {note}" for note in numbered]
    assert table["columns"] == [list(block.headers)]
    assert table["rows"] == [list(row) for row in block.rows]
    glance.get_by_label("Filter rows").fill("mist")
    lines = of("csv").splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("mist,0.090,")


def test_task_and_metric_choose_what_is_on_view(view: Any) -> None:
    page = view("#task=style-mimicry&metric=clip-top3&at=ranks")
    assert page.locator("#choose-metric").input_value() == "clip-top3"
    assert page.locator("[data-board=heat] .view:visible").count() == 1
    assert page.evaluate("document.activeElement.id") == "h-ranks"
    page.get_by_role("link", name="Compare").click()
    assert page.evaluate("location.hash").endswith("at=compare")


def test_the_board_of_an_earlier_release(view: Any, site: Path) -> None:
    """It is reached from the current one, says what it is, and leads back."""
    page = view()
    assert page.locator("header .caution").count() == 0
    page.locator("header a", has_text="v0.9.0").click()
    page.wait_for_selector("html[data-ready]")
    told = page.locator("header .caution")
    assert told.inner_text() == "The board of release v0.9.0. The current one."
    told.locator("a").click()
    page.wait_for_selector("html[data-ready]")
    assert page.url == (site / "index.html").as_uri()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_axe_finds_nothing(view: Any, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    page = view(width=width)
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    # The buttons and filters of folded boards come once these are open.
    waiting = "details[data-board]:has(tbody tr):not(:has(.filter))"
    until(page, f"document.querySelectorAll('{waiting}').length", 0)
    found = axe.Axe().run(page).response["violations"]
    page.locator("tr[data-protection=glaze] td[data-record] button").last.click()
    found += axe.Axe().run(page).response["violations"]
    told = [(one["id"], [node["html"][:150] for node in one["nodes"][:3]]) for one in found]
    assert told == []


def test_what_strangers_write_does_nothing(view: Any, source: Source, tmp_path: Path) -> None:
    evil = "<img src=x onerror=document.title='boom'>"
    ending = f"</script><script>document.title='boom'</script>{evil}"
    titles = {**source.meta.titles, "glaze": evil, "impress": ending}
    cells = source.cells.replace({"subject": {"artist-2": evil}, "protection": {"mist": ending}})
    cells.loc[cells["state"] == "failed", "reason"] = ending
    meta = source.meta.model_copy(update={"titles": titles, "title": ending})
    write_site([replace(source, cells=cells, meta=meta)], tmp_path / "evil")
    page = view(folder=tmp_path / "evil")
    title = page.title()
    for button in page.locator("#glance-0 button.row").all():
        button.click()
        page.keyboard.press("Escape")
    page.locator("tr[data-protection=glaze] td[data-record] button").nth(2).click()
    assert evil in page.locator("#details").inner_text()
    assert page.title() == title
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2


def busy(page: Any) -> float:
    """Seconds of processor time of the page's main thread since it was loaded, by a second load:
    wall time would measure what else the machine does."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.reload()
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    page.locator(".heat thead button").nth(2).click()
    measured = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in measured if one["name"] == "TaskDuration"))


@pytest.mark.parametrize(("rows", "purifiers"), [(25, 200), (200, 25)])
def test_5000_cells_are_interactive_within_two_seconds(
    view: Any, tmp_path: Path, rows: int, purifiers: int
) -> None:
    """With pictures of one subject for every row: unpurified and after two purifiers, of noise."""
    metric = {"name": "score", "title": "Score", "higher_is_better": True, "unit": "%"}
    states = ["none", "purifier-1", "purifier-2"]
    kept = album(tmp_path / "run", TASK, "artist-0", {f"cloak-{r}": states for r in range(rows)})
    shown = {one.protection for one in kept.pictures}
    assert len(shown) + len(kept.left_out) == rows
    assert len(shown) == rows or len(kept.pictures) * 2 * 64 * 64 > 1e6, "all, or a great many"
    source = random_run(rows, purifiers, 4, metric)
    written = write_site([replace(source, folder=tmp_path / "run")], tmp_path / "large")
    assert sum(path.stat().st_size for path in written) < 15e6
    files = {name for one in kept.pictures for name in (one.given, one.made)}
    assert files <= {path.name for path in written}
    page = view(folder=tmp_path / "large")
    page.locator(f"#heat-{TASK}-score thead button").nth(2).click()
    assert page.locator("td[data-record] button").count() == 5000
    assert busy(page) < 2
