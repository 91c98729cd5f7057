"""Plugins: what there is, a new one, and whether it conforms."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from impress_bench.benchmark.commands.exits import STOPPED
from impress_bench.benchmark.texts import one_line


@click.command()
@click.argument("kind", type=click.Choice(["protection", "purifier", "metric"]))
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    help="The folder that gets the package. [default: this one]",
)
def new(kind: str, name: str, into: Path) -> None:
    """Write an installable package for a plugin called NAME."""
    from impress_bench.benchmark.harness.plugins.scaffold import scaffold

    for path in scaffold(kind, name, into):
        click.echo(path)
    click.echo(
        f"Next: pip install -e '{into / name}[test]' && impress-bench check {name}", err=True
    )


@click.command()
@click.argument("name")
@click.option("--preset", default="quick", show_default=True, help="Whose settings it gets.")
@click.option("--control", is_flag=True, help="It is a control, not meant to protect.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of verdicts.")
@click.pass_context
def check(context: click.Context, /, name: str, preset: str, control: bool, as_json: bool) -> None:
    """Check that the protection, purifier or metric NAME keeps what the benchmark relies on.

    Exit code 1 if it does not. What the plugin prints goes to stderr.
    """
    from impress_bench.benchmark.harness.config.loading import load_preset
    from impress_bench.benchmark.harness.plugins.conformance_run import check as verdicts
    from impress_bench.benchmark.harness.plugins.conformance_run import resolve
    from impress_bench.benchmark.harness.plugins.registry import Registry

    ours, found = sys.stdout, []
    with redirect_stdout(sys.stderr):  # what the plugin prints is no part of the verdict
        component = resolve(name, load_preset(preset).settings.of(""), Registry())
        for verdict in verdicts(component, control):
            found.append(verdict)
            if not as_json:
                if not verdict.failure:
                    click.echo(f"passed {verdict.check} ({verdict.seconds:.1f} s)", ours)
                    continue
                click.echo(one_line(f"FAILED {verdict.check}: {verdict.failure}"), ours)
                if not verdict.repeated:
                    click.echo(f"       {verdict.about}", ours)
    failed = [verdict for verdict in found if verdict.failure]
    if as_json:
        click.echo(json.dumps([verdict._asdict() for verdict in found], indent=1))
    else:
        took = f"{sum(verdict.seconds for verdict in found):.1f} s, {found[-1].peak_gb:.1f} GiB"
        ended = f"{len(failed)} of {len(found)} failed ({took} at most)"
        click.echo(f"{component.kind} {component.label}: {ended}")
    context.exit(STOPPED if failed else 0)


@click.command("list")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of records.")
def list_command(name: str | None, as_json: bool) -> None:
    """Show what is registered and the presets, and which of them are broken.

    With NAME, what that plugin is, and its parameters with their defaults; it is imported for that.
    """
    from impress_bench.benchmark.harness.plugins.listing import list_components, list_presets
    from impress_bench.benchmark.harness.plugins.registry import Registry

    if name is not None:
        _show_details(name, as_json)
        return
    listings = [*list_components(Registry()), *list_presets()]
    if as_json:
        click.echo(json.dumps([item._asdict() for item in listings], indent=1, ensure_ascii=False))
        return
    width = max((len(item.name) for item in listings), default=0)
    for kind in dict.fromkeys(item.kind for item in listings):
        click.echo(f"{kind}s")
        for item in (item for item in listings if item.kind == kind):
            told = f"BROKEN: {item.problem}" if item.problem else item.summary
            line = f"  {item.name:{width}}  {told}  ({item.distribution} {item.version})"
            click.echo(one_line(line))


def _show_details(name: str, as_json: bool) -> None:
    """Print what `details` finds: per plugin its docstring and one entry per parameter."""
    from impress_bench.benchmark.contract import PluginError
    from impress_bench.benchmark.errors import ConfigError
    from impress_bench.benchmark.harness.plugins.details import details
    from impress_bench.benchmark.harness.plugins.registry import Registry

    try:
        found = details(name, Registry())
    except PluginError as error:
        raise ConfigError(str(error)) from None
    if as_json:
        records = [
            one._asdict() | {"parameters": [each._asdict() for each in one.parameters]}
            for one in found
        ]
        click.echo(json.dumps(records, indent=1, ensure_ascii=False, default=str))
        return
    for one in found:
        source = f"{one.target}, {one.distribution} {one.version}"
        click.echo(one_line(f"{one.kind} {one.name}: {one.title} ({source})"))
        for line in one.about.splitlines():
            click.echo(f"  {one_line(line)}".rstrip())
        for each in one.parameters:
            default = " (to be given)" if each.required else f"={each.default}"
            click.echo(one_line(f"  {each.name}{default}"))
            if each.about:
                click.echo(f"      {one_line(each.about)}")
