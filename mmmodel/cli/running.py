"""The commands that open and run notebooks: mmmodel run | meeting | live | lab."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from ..build.composed import Build
from ..data import notebooks_dir
from ..report import environment
from ..report.notebooks import UsageError, data_dir, digest, working_copy

PARAMETERS = (
    click.option("--patch", multiple=True, help="A name, or your own: file.py:Class. Repeat to stack, in order."),
    click.option("--swap/--no-swap", default=True, show_default=True, help="CONFIG_SWAP."),
    click.option("--arch", default="s390", show_default=True),
    click.option("--version", default="v4.6", show_default=True, help="Kernel version."),
)
PATH = click.Path(path_type=Path)


def parameters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The four parameters of a notebook as options, handed to the command as `given`: those that were typed."""

    @wraps(command)
    def wrapped(patch: tuple[str, ...], **options: Any) -> Any:
        if own := [text.rpartition(":")[2] for text in patch if ".py:" in text or text.endswith(".py")]:
            raise UsageError(f"a notebook takes patches by name, and {own[0]} is from a file: mmmodel verdict takes it")
        build = Build(patches=patch, **{name: options.pop(name) for name in ("version", "arch", "swap")})
        values = {"version": build.version, "arch": build.arch, "swap": build.swap, "patches": list(build.patches)}
        source = click.get_current_context().get_parameter_source
        default = click.core.ParameterSource.DEFAULT
        given = {n: v for n, v in values.items() if source("patch" if n == "patches" else n) is not default}
        return command(given=given, **options)

    for option in PARAMETERS:
        wrapped = option(wrapped)
    return wrapped


def merged(given: dict[str, Any], more: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Parameters from options and from -p; one that is given two values is bad usage.

    As typed: JSON where it is JSON (true, 3, ["q2"]), text otherwise.
    """
    found = dict(given)
    for name, text in more:
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        if repr(found.setdefault(name, value)) != repr(value):
            raise UsageError(f"parameter {name} is given twice: {found[name]!r} and {value!r}")
    return found


@click.command()
@click.argument("notebooks", nargs=-1)
@parameters
@click.option("-o", "--output", type=PATH, default=Path("report"), show_default=True)
@click.option("-p", "--parameter", nargs=2, multiple=True, metavar="NAME VALUE", help="Any notebook parameter.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Notebooks at a time; default one more than cores.")
@click.option("--timeout", type=click.IntRange(1), default=120, show_default=True, help="Seconds for a cell.")
@click.option("--junit", type=PATH, metavar="FILE", help="Write JUnit XML too.")
@click.option("--slides", is_flag=True, help="Write a talk too: slides.html, from the cells tagged slide.")
@click.option("--summary", type=PATH, metavar="FILE", help="Write a summary in Markdown too.")
def run(notebooks: tuple[str, ...], given: dict[str, Any], output: Path, parameter: tuple[tuple[str, str], ...],
        timeout: int, **options: Any) -> None:  # fmt: skip
    """Execute NOTEBOOKS (names, numbers or paths; all by default) and write the report.

    Exit status 1 if a cell fails or does not run, or a claim is false or was not checked.

    Example: mmmodel run 03 05 -o report --version v4.7 --no-swap
    """
    environment.without_grammars()
    from ..report.server import start_server

    start_server()  # its imports take longer than ours: let it begin
    from ..report.run import run as execute

    report = execute(notebooks or None, output, merged(given, parameter), execution_timeout=timeout, **options)
    for failure in report.failures:
        click.echo(f"FAILED {failure}", err=True)
    click.echo(f"{len(report.claims)} claims in {report.seconds:.1f} s; open {report.index}")
    if report.interrupted:
        click.echo("The run was interrupted; what was done by then is there.", err=True)
        sys.exit(128 + report.interrupted)
    sys.exit(not report.ok)


@click.command()
@click.argument("notebook", default="10-the-decision")
@parameters
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@click.option("--host-name", "hosts", multiple=True, metavar="NAME", help="Another name that a tunnel or proxy has.")
@click.option("--minutes", type=PATH, default=Path("minutes.json"), show_default=True, help="Where they are kept.")
def meeting(given: dict[str, Any], notebook: str, port: int, no_browser: bool, theme: str,
            hosts: tuple[str, ...], minutes: Path) -> None:  # fmt: skip
    """Serve NOTEBOOK (name, number or path; the decision by default) as a dashboard, without code (extra: meeting).

    Example: mmmodel meeting 03 --arch x86 --port 8890
    """
    environment.without_grammars()
    from ..report.early import Early

    early = Early()
    try:
        from ..report.meeting import serve

        serve(notebook, given, port, not no_browser, theme, early, hosts, minutes)
    except ImportError as error:
        if (error.name or "").split(".")[0] != "voila":
            raise
        raise UsageError("meeting needs the extra: pip install 'mmmodel[meeting]'") from None
    finally:
        early.end()


@click.command("live")
@click.option("-o", "--output", type=PATH, default=Path("live.html"), show_default=True)
def live_page(output: Path) -> None:
    """Write one file that runs the model in a browser: toggles, an editor for a patch, verdicts; no network, no Python.

    It is built with npm, which fetches Pyodide the first time.

    Example: mmmodel live -o live.html
    """
    from ..report.live import build_page

    build_page(output)
    click.echo(f"{output.stat().st_size / 1e6:.1f} MB; open {output}")


@click.command()
@click.option("--in-place", is_flag=True, help="The notebooks themselves, not a copy: for authors.")
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED)
def lab(in_place: bool, jupyter: tuple[str, ...]) -> None:
    """Open the notebooks in JupyterLab: a copy of your own, which is kept.

    Example: mmmodel lab -- --no-browser --port 8890
    """
    options = ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if not any(option.startswith("--notebook-dir") for option in jupyter):
        options.append(f"--notebook-dir={notebooks_dir() if in_place else own_copy()}")
    try:
        environment.prepare(data_dir() / "jupyter" / digest(f"{sys.executable} {environment.ROOT}")[:8])
    except OSError as error:
        raise UsageError(f"{data_dir()} cannot be written: {error.strerror}") from None
    os.execv(sys.executable, [sys.executable, "-P", "-m", "jupyterlab", *options, *jupyter])


def own_copy() -> Path:
    """The reader's notebooks; says where they are, and what is not as new as ours."""
    folder, kept = working_copy()
    click.echo(f"The notebooks are your own copy: {folder}")
    for name in kept:
        click.echo(f"note: {name} is as you changed it; ours is newer: move yours away to get it", err=True)
    sys.stdout.flush()  # before another program takes over
    return folder
