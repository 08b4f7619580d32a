"""The command line: mmmodel trace | verdict | matrix | audit | run | meeting | live | lab."""

import csv
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

import click

from ..build.composed import Build
from ..kernel.arches import ARCHES
from ..report.notebooks import UsageError
from ..words import BuildError
from .patch_files import load, named, stack
from .running import PARAMETERS, lab, live_page, meeting, run


class Commands(click.Group):
    """Turns what a command complains about into one line; never a traceback for bad input."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command line and exit."""
        try:
            sys.exit(super().main(*args, **kwargs | {"standalone_mode": False}) or 0)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.ClickException, BuildError, UsageError) as error:
            words = error.format_message() if isinstance(error, click.ClickException) else str(error)
            with suppress(OSError):
                click.echo(f"Error: {' '.join(words.split())}", err=True)
            sys.exit(getattr(error, "exit_code", 2))
        except (click.Abort, KeyboardInterrupt):
            sys.exit(130)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a closed pipe ends it without a word."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            with suppress(OSError):  # what is left to be printed goes nowhere
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):
                sys.exit(128 + signal.SIGPIPE)
            raise UsageError(f"{error.filename or 'standard output'}: {error.strerror or error}") from None


def build_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The toggles of a build, handed to the command as `build`."""

    @wraps(command)
    def wrapped(patch: tuple[str, ...], **options: Any) -> Any:
        toggles = {name: options.pop(name) for name in ("version", "arch", "swap", "thp", "debug_vm")}
        return command(build=Build(**toggles, patches=tuple(named(text) for text in patch)), **options)

    for option in (
        click.option("--debug-vm", is_flag=True, help="CONFIG_DEBUG_VM=y."),
        click.option("--thp/--no-thp", default=None, help="Default: what the arch supports."),
        *PARAMETERS,
    ):
        wrapped = option(wrapped)
    return wrapped


FORMAT = click.option("--format", "format_", type=click.Choice(["table", "csv", "json"]), default="table",
                      show_default=True)  # fmt: skip


def show(columns: Sequence[str], rows: Iterable[Sequence[Any]], format_: str) -> None:
    """Print rows; a value that does not exist is empty (null in JSON)."""
    data = [list(row) for row in rows]
    if format_ == "json":
        click.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in data], indent=1))
    elif format_ == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(data)
        click.echo(out.getvalue(), nl=False)
    else:
        text = [list(columns), *([("" if v is None else str(v)) for v in row] for row in data)]
        widths = [max(map(len, column)) for column in zip(*text, strict=True)]
        for line in text:
            click.echo("  ".join(v.ljust(w) for v, w in zip(line, widths, strict=True)).rstrip())


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mmmodel")
def main() -> None:
    """An executable investigation of the s390 huge zero page regression of 2016."""


@main.command()
@click.argument("scenario", default="map-read-unmap")
@build_options
@FORMAT
def trace(build: Build, scenario: str, format_: str) -> None:
    """Run a sequential SCENARIO and print the counters after each operation.

    Example: mmmodel trace map-read-unmap --version v4.6 --arch s390 --patch quick-hack --format csv
    """
    from ..explore.tracing import Row
    from ..explore.tracing import trace as run_trace

    result = run_trace(build, scenario)
    if format_ == "table":
        rows = [(*row, off) for row, off in zip(result.rows, result.off, strict=True)]
        show((*Row._fields, "not what is due"), rows, format_)
    else:
        show(Row._fields, result.rows, format_)
    note(build)
    click.echo(str(result.verdict), err=True)
    sys.exit(3 if result.verdict.status == "undecided" else 0)


def note(build: Build) -> None:
    """Say on standard error what a reader could misunderstand about a build."""
    for text in build.notes:
        click.echo(f"note: {text}", err=True)


def first(number: int, _: object) -> None:
    """A first Ctrl-C ends what is under way; no second one takes away what was found by then."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@main.command()
@click.argument("scenario", required=False)
@build_options
@click.option("--sequential", is_flag=True, help="Leave the concurrent scenarios out.")
@click.option("--cpus", type=int, help="Of a concurrent scenario; default what it needs.")
@click.option(
    "--memory", default="sc", show_default=True, help="Order of accesses: sc, tso, weak, or arch: the arch's."
)
@click.option(
    "--symmetry/--no-symmetry", default=True, show_default=True, help="Explore CPUs that run the same up to names."
)
@click.option("--max-states", type=click.IntRange(1), default=5_000_000, show_default=True)
@click.option("--max-seconds", type=click.FloatRange(0, min_open=True), default=600.0, show_default=True)
@click.option(
    "--max-memory", type=click.FloatRange(0, min_open=True), help="MiB; default what is used, and half of the free."
)
@click.option("--witness", is_flag=True, help="Print the steps that lead to a broken invariant.")
@FORMAT
def verdict(build: Build, scenario: str | None, sequential: bool, cpus: int | None, witness: bool, format_: str,
            **bounds: Any) -> None:  # fmt: skip
    """Check SCENARIO, or every scenario, on a build.

    Exit status: 0 holds, 1 broken, 3 undecided (a bound, Ctrl-C or a patch that does not return came first).

    Example: mmmodel verdict zap-vs-shrinker --cpus 4 --version v4.5 --arch x86 --witness
    """
    from tqdm import tqdm

    from ..explore.bounds import Seen
    from ..explore.checking import SCENARIOS, check
    from ..explore.scenarios import lacking
    from ..explore.sequential import SEQUENTIAL
    from ..explore.verdict import Verdict
    from ..words import kernel_name

    if sequential and scenario in SCENARIOS and scenario not in SEQUENTIAL:
        raise UsageError(f"{scenario} is concurrent, and --sequential leaves the concurrent scenarios out")
    signal.signal(signal.SIGINT, first)
    note(build)
    names = [scenario] if scenario else [n for n in (SEQUENTIAL if sequential else SCENARIOS) if not lacking(n, build)]
    for name in () if scenario or sequential else SCENARIOS:
        if reason := lacking(name, build):
            click.echo(f"note: left out: {reason}", err=True)
    found: list[Verdict] = []
    with tqdm(disable=None, leave=False, unit=" states") as bar, suppress(KeyboardInterrupt):

        def progress(seen: Seen) -> None:
            bar.set_postfix(frontier=seen.frontier, depth=seen.depth, refresh=False)
            bar.update(seen - bar.n)

        while len(found) < len(names) and not (found and found[-1].bound == "interrupted"):
            found.append(check(build, names[len(found)], cpus, progress=progress, **bounds))
    found += [Verdict(build, name, bound="interrupted", what="before it began") for name in names[len(found) :]]
    columns = ("status", "holds", "broken", "op", "what", "states", "depth", "complete", "bound")
    rows = [(v.scenario, *(getattr(v, column) for column in columns), round(v.seconds, 3)) for v in found]
    show(("scenario", *columns, "seconds"), rows, format_)
    for v in found:
        if v.alike:
            click.echo(
                f"note: {v.scenario}: CPUs {', '.join(map(str, v.alike))} are alike: explored up to names", err=True
            )
    for v in found if witness else ():
        steps = [(s.cpu, kernel_name(s.function), s.changed) for s in v.witness]
        show(("cpu", "function", "changed"), steps, format_)
    sys.exit(exit_status(v.status for v in found))


def exit_status(found: Iterable[str]) -> int:
    """Of several verdicts: 1 if one is broken, else 3 if one is undecided, else 0."""
    there = set(found)
    return 1 if "broken" in there else 3 if "undecided" in there else 0


@main.command()
@click.option("--arch", "archs", multiple=True, help="Repeat for several; default all.")
@click.option("--version", "versions", multiple=True, help="Repeat for several; default all.")
@click.option("--patch", "patches", multiple=True, help="A patch, or a stack: q2+file.py:Class; repeat for several.")
@click.option("--swap/--no-swap", default=None, help="Default: both.")
@click.option("--scenario", "scenarios", multiple=True, help="Repeat for several; default all.")
@click.option("--scheduler", metavar="ADDRESS", help="Run on a Dask cluster (extra: cluster).")
@FORMAT
def matrix(archs: tuple[str, ...], versions: tuple[str, ...], patches: tuple[str, ...], swap: bool | None,
           scenarios: tuple[str, ...], scheduler: str | None, format_: str) -> None:  # fmt: skip
    """Verdicts of many builds, in parallel. Exit status: 0 all hold, 1 one is broken, 3 one is undecided.

    Example: mmmodel matrix --arch s390 --arch x86 --version v4.6 --patch quick-hack --patch q3+nr1-shortcut
    """
    from ..study.matrix import matrix as table

    stacks = [stack(text) for text in ("", *patches)]
    with workers(scheduler, patches) as pool:
        frame = table(archs, versions, (True, False) if swap is None else (swap,), stacks, scenarios, pool, True)
    show(list(frame.columns), frame.values.tolist(), format_)
    for reason in frame.attrs["left_out"]:
        click.echo(f"note: left out: {reason}", err=True)
    sys.exit(exit_status(frame["status"]))


@main.command()
@click.argument("tree")
@click.option("--rev", help="A revision of the git repository TREE, read without a checkout; of a bare one: HEAD.")
@click.option("--arch", "archs", multiple=True, help="Repeat for several; default all of the tree.")
@FORMAT
def audit(tree: str, rev: str | None, archs: tuple[str, ...], format_: str) -> None:
    """Which of five faults of the huge zero page are in a kernel source TREE (extra: audit).

    Exit status: 0 none, 1 an arch is affected.

    Example: mmmodel audit ~/linux --rev v4.6.2 --arch s390 --arch x86
    """
    from ..trees.report import Judgement
    from ..trees.report import audit as read

    report = read(tree, rev, archs)
    show(Judgement._fields, report.rows, format_)
    if format_ == "table":
        click.echo("\n" + "\n".join(report.summary()))
        modelled = next((arch for arch in ("s390", *ARCHES) if arch in {row.arch for row in report.rows}), "s390")
        near = Build.from_audit(report, modelled)
        click.echo(f"nearest model version: {' with '.join((near.version, *map(str, near.patches)))}")
        note(near)
    sys.exit(report.affected)


@contextmanager
def workers(scheduler: str | None, patches: Sequence[str] = ()) -> Iterator[Executor]:
    """The processes of this machine, or the workers of a Dask cluster: a lost worker's share is done by the others."""
    if scheduler is None:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import active_children

        pool = ProcessPoolExecutor(initializer=begin, initargs=(patches,))
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
        return
    if any(".py" in text for text in patches):
        raise UsageError("a patch from a file is checked on this machine only: leave --scheduler away")
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--scheduler needs the extra: pip install 'mmmodel[cluster]'") from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise UsageError(f"no scheduler at {scheduler}: {error}".splitlines()[0]) from None
    with client:
        yield client.get_executor(retries=5)


def begin(patches: Sequence[str]) -> None:
    """A process for a share of the work begins: Ctrl-C is for the one that gives them out, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load(patches)


for command in (run, meeting, live_page, lab):
    main.add_command(command)
