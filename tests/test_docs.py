"""What the documentation shows: commands exist, presets load, Python runs, links lead somewhere."""

import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path
from typing import get_args

import click
import pytest

from impress_bench.benchmark.cli import cli
from impress_bench.benchmark.harness.config.loading import load_preset, shipped_presets
from impress_bench.benchmark.submissions.model import Submission

ROOT = Path(__file__).parents[1]
PAGES = sorted(ROOT.glob("docs/**/*.md"))
#: Files of the repository that are no pages of the site, with the pages that lead to others.
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
SUBMITTED = {"protection": "cloak", "purifier": "purifier"}
LINKED = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def blocks(page, language):
    """Fenced blocks of one language, also in lists."""
    pattern = rf"^( *)```{language}\n(.*?)^ *```"
    found = re.findall(pattern, page.read_text(), re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def commands():
    for page in [*PAGES, ROOT / "README.md"]:
        for language in ("sh", "bash"):
            for block in blocks(page, language):
                for line in block.replace("\\\n", " ").splitlines():
                    if line.strip().startswith("impress-bench "):
                        yield pytest.param(line.strip(), id=f"{page.stem}: {line.strip()[:60]}")


@pytest.mark.parametrize("line", list(commands()))
def test_commands_are_accepted(line):
    """Every option and argument is known; test_readme.py runs those that a small run can show."""
    words = shlex.split(line, comments=True)[1:]
    command = cli
    while isinstance(command, click.Group):
        name = words.pop(0)
        command = command.get_command(click.Context(command), name)
        assert command is not None, name
    command.make_context(name, words)


@pytest.mark.parametrize(
    "block", blocks(ROOT / "docs" / "write-a-preset.md", "toml"), ids=["1", "2", "3"]
)
def test_presets_load(block, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(block)
    preset = load_preset(path)
    for task in preset.specs("tasks"):
        crossed = [
            (protection, purifier)
            for protection in preset.specs("protections")
            for purifier in preset.specs("purifiers")
            if preset.crossed(task, protection, purifier)
        ]
        assert crossed, task


@pytest.mark.parametrize(
    "page", ["write-a-purifier", "write-a-solver", "write-a-metric", "add-a-model", "write-a-task"]
)
def test_python_runs(page):
    names: dict = {"__name__": page.replace("-", "_")}
    for block in blocks(ROOT / "docs" / f"{page}.md", "python"):
        exec(compile(block, f"{page}.md", "exec"), names)
    if page == "add-a-model":
        model = names["load_mine"]()
        assert model.digest == names["load_mine"].digest()


def test_the_solver_descends_within_its_ball():
    """Beside plain signed steps: the guide's momentum lowers a quadratic at least to the ball's
    edge, which is where its minimum within the ball lies."""
    import torch

    from impress_bench.benchmark import Context
    from impress_bench.protections import Budget, GradientProtection

    names: dict = {"__name__": "write_a_solver"}
    exec(blocks(ROOT / "docs" / "write-a-solver.md", "python")[0], names)

    class Dark(GradientProtection):
        """Darkens."""

        name = "dark"
        budget = Budget(linf=8 / 255)
        solver = names["MomentumPgd"](20, 2 / 255, 8 / 255)

        def prepare(self, images, context, generators):
            return None

        def loss(self, state, x, step, generators):
            return x.square().flatten(1).mean(dim=1)

    class Model:
        device, dtype = torch.device("cpu"), torch.float32

    images = torch.full((2, 3, 8, 8), 128 / 255)
    context = Context(generator=torch.Generator().manual_seed(0), model=Model())
    protected = Dark()(images, context)
    torch.testing.assert_close(protected.images, torch.full_like(images, 120 / 255))


def test_reference_names_everything_that_is_registered():
    plugins = (ROOT / "docs" / "reference" / "plugins.md").read_text()
    for kind in ("protections", "adaptations", "purifiers", "metrics", "tasks", "models"):
        for entry in entry_points(group=f"impress_bench.{kind}"):
            if entry.dist is not None and entry.dist.name == "impress-bench":
                assert f"`{entry.name}`" in plugins, f"{kind}: {entry.name}"
    presets = (ROOT / "docs" / "reference" / "presets.md").read_text()
    for name in shipped_presets():
        assert f"| `{name}`" in presets, name


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.stem)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text().partition("nav:")[2]
    for page in PAGES:
        assert f": {page.relative_to(ROOT / 'docs').as_posix()}" in navigation, page.name


def test_what_can_be_sent_in_has_a_guide_and_who_receives_it_too():
    kinds = get_args(Submission.model_fields["kind"].annotation)
    for kind in kinds:
        assert (
            f"impress-bench submit my-{SUBMITTED[kind]} "
            in (ROOT / "docs" / f"write-a-{kind}.md").read_text()
        )
    (line,) = re.findall(r"To have a\n? *(.*?) on the leaderboard", CONTRIBUTING, re.DOTALL)
    assert line == " or a ".join(kinds)
    received = (ROOT / "docs" / "receive-a-submission.md").read_text()
    for verb in ("validate", "check-wheel", "publish"):
        assert f"impress-bench {verb}" in received


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
