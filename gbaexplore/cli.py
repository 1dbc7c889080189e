"""The command line: thin and quick to start; each command imports what it needs."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn, TypeAlias

from gbaexplore.basics import streams
from gbaexplore.basics.errors import UserError, printable
from gbaexplore.basics.places import local, names_store, place
from gbaexplore.basics.streams import say
from gbaexplore.running.interrupts import watch

_EXAMPLES = """examples:
  gbaexplore run studies/gba_grid.py               compute the map (or what is missing of it)
  gbaexplore run studies/gba_grid.py --dry-run     what it would take
  gbaexplore run my_study.py --workers 8           eight worker processes
  gbaexplore info store/gba_grid.zarr              what a store holds, and what made it
  gbaexplore check store/gba_grid.zarr --repair    whether it is as it was written; repair it if not
  gbaexplore diff A.zarr B.zarr                    what two stores differ in
  gbaexplore export store/gba_grid.zarr map.nc     for other programs: .nc, .zarr, .csv, .parquet
  gbaexplore plot store/gba_grid.zarr              draw it to a file
  gbaexplore explore store/gba_grid.zarr           look at it in the browser; --html FILE: as one page
  gbaexplore figure fig2c                          compute what is missing of a figure, and draw it
  gbaexplore new my_study.py --from fig2c          a file of your own to start from
  gbaexplore verify                                published and independent numbers against ours

exit codes: 0 done, 1 finished with failed points (check, diff: something was found), 2 a mistake in what was asked
for, 130 interrupted
"""

_MOST_WORKERS = 1024

Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    streams.prepare()
    try:
        args = _parsed(argv)
        watch()
        return args.command(args)
    except UserError as error:
        streams.complain(f"gbaexplore: {error}")
        return 2
    except KeyboardInterrupt:
        streams.complain("gbaexplore: interrupted; finished blocks are kept: the same command goes on from there")
        return _ended(130)


def _ended(code: int) -> int:
    """Return the exit code without waiting for a thread that still computes a block."""
    import os
    import threading

    if threading.active_count() > 1:
        os._exit(code)
    return code


def _parsed(argv: list[str] | None) -> argparse.Namespace:
    try:
        return _parser().parse_args(argv)
    except SystemExit:
        streams.flush()  # the text that --help has printed
        raise


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gbaexplore",
        description="Explore what a brain-circuit model does over its whole parameter space.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in _COMMANDS:
        add(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """What it says of arguments is `printable`: the names of files may be among them."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


class _Version(argparse.Action):
    """Print the version; importlib.metadata is imported only then."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, nargs=0, **kwargs)  # type: ignore[misc, arg-type]

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        say(f"gbaexplore {version('gbaexplore')}")
        parser.exit()


# Arguments that several commands share.


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument("store", metavar="STORE", help="a NAME.zarr folder, or its URL")


def _add_execution(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store",
        metavar="PLACE",
        default="store",
        help="folder that holds NAME.zarr, or X.zarr, the store itself; or the URL of either, s3://BUCKET/FOLDER "
        "(default: %(default)s)",
    )
    workers = command.add_mutually_exclusive_group()
    workers.add_argument("--workers", metavar="N", type=_workers, help="N processes (default: a thread per core)")
    workers.add_argument("--scheduler", metavar="ADDR", type=_address, help="a running dask scheduler, tcp://HOST:PORT")


def _workers(text: str) -> int:
    return _whole_number(text, 1, _MOST_WORKERS)


def _address(text: str) -> str:
    if not re.fullmatch(r"(\w+://)?[^\s/]+:\d{1,5}", text):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not an address; expected one such as tcp://127.0.0.1:8786")
    return text


def _host(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the address is empty; expected one of this machine, such as 127.0.0.1")
    return text


def _port(text: str) -> int:
    return _whole_number(text, 0, 65535)


def _whole_number(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {least} to {most:,}")
    return int(text)


# Each command follows its arguments.


def _add_run(commands: Commands) -> None:
    run = commands.add_parser("run", help="compute what is missing of a study")
    run.add_argument("study", metavar="STUDY.py", help="a study file, or the name of a shipped study")
    _add_execution(run)
    run.add_argument("--dry-run", action="store_true", help="say what it would take, from timed blocks")
    run.add_argument("--shrink", action="store_true", help="drop values from the store that the study no longer has")
    run.set_defaults(command=_run)


def _run(args: argparse.Namespace) -> int:
    from gbaexplore.running import runner
    from gbaexplore.running.progress import Progress
    from gbaexplore.study.file import load_study

    study = load_study(args.study)
    store = place(args.store)
    if args.dry_run:
        if args.scheduler:
            raise UserError("--dry-run times blocks on this machine; expected no --scheduler with it")
        from gbaexplore.running.forecast import forecast

        say(*str(forecast(study, store, args.workers, args.shrink)).split("\n"))
        return 0
    report = runner.execute(study, store, args.workers, args.scheduler, progress=Progress, shrink=args.shrink)
    say(*str(report).split("\n"))
    return 0 if report.complete else 1


def _add_info(commands: Commands) -> None:
    info = commands.add_parser("info", help="what a store holds, and what made it")
    _add_store(info)
    info.add_argument("--json", action="store_true", help="for machines, with the whole history")
    info.set_defaults(command=_info)


def _info(args: argparse.Namespace) -> int:
    from gbaexplore.store import info

    page = info.as_json(place(args.store)) if args.json else info.describe(place(args.store))
    say(*page.split("\n"))
    return 0


def _add_diff(commands: Commands) -> None:
    diff = commands.add_parser("diff", help="what two stores differ in")
    diff.add_argument("first", metavar="A", help="a NAME.zarr folder")
    diff.add_argument("second", metavar="B", help="another")
    diff.set_defaults(command=_diff)


def _diff(args: argparse.Namespace) -> int:
    from gbaexplore.store.diff import diff

    found = diff(place(args.first), place(args.second))
    say(*(found or ["no difference"]))
    return 1 if found else 0


def _add_check(commands: Commands) -> None:
    check = commands.add_parser("check", help="whether a store is as it was written")
    _add_store(check)
    check.add_argument("--repair", action="store_true", help="mark what is damaged to be computed again")
    check.add_argument(
        "--against", metavar="STUDY.py", help="compute a sample of its points again, and compare: are they the study's?"
    )
    check.set_defaults(command=_check)


def _check(args: argparse.Namespace) -> int:
    from gbaexplore.store import integrity

    path = place(args.store)
    findings = integrity.check(path)
    say(*findings)
    damaged = sum(not finding.harmless for finding in findings)
    say(f"{path}: {damaged} damaged, {len(findings) - damaged} left over")
    if args.against is not None and not damaged:
        from gbaexplore.running import runner
        from gbaexplore.study.file import load_study

        say(f"{path}: {runner.proved(load_study(args.against), path)}")
    if not args.repair or not findings:
        return 1 if damaged else 0
    beyond = integrity.repair(path, findings)
    if beyond:
        say("only chunks can be repaired: restore the other files, or move the store away and run the study again")
        return 1
    say("repaired: what was removed is pending now; `gbaexplore run` with its study computes it again")
    return 0


def _add_export(commands: Commands) -> None:
    export = commands.add_parser("export", help="write a store's results for other programs")
    _add_store(export)
    export.add_argument("out", metavar="OUT", help="a new file; its ending says as what: .nc, .zarr, .csv, .parquet")
    export.set_defaults(command=_export)


def _export(args: argparse.Namespace) -> int:
    from gbaexplore.store.export import export

    export(place(args.store), args.out)
    say(args.out)
    return 0


def _add_plot(commands: Commands) -> None:
    plot = commands.add_parser("plot", help="draw a store: its map, or what suits it")
    _add_store(plot)
    plot.add_argument("--out", metavar="FILE", help=".png, .svg or .pdf (default: figures/NAME.png)")
    plot.set_defaults(command=_plot)


def _plot(args: argparse.Namespace) -> int:
    from gbaexplore import plots

    say(plots.store(place(args.store), args.out))
    return 0


def _add_explore(commands: Commands) -> None:
    explore = commands.add_parser("explore", help="look at a store in the browser: click a point, see its time courses")
    _add_store(explore)
    explore.add_argument("--study", metavar="STUDY.py", help="what made it, if the model is the study's own")
    explore.add_argument("--html", metavar="FILE", help="write one page that needs no server, instead")
    explore.add_argument("--address", type=_host, default="127.0.0.1", help="where to serve (default: %(default)s)")
    explore.add_argument("--port", type=_port, default=5006, help="0 for any that is free (default: %(default)s)")
    explore.add_argument("--no-browser", action="store_true", help="do not open one")
    explore.set_defaults(command=_explore)


def _explore(args: argparse.Namespace) -> int:
    from gbaexplore.study.file import load_study

    study = None if args.study is None else load_study(args.study)
    if args.html is not None:
        from gbaexplore.plots.explorer.one_file import write

        say(write(args.store, args.html))
        return 0
    from gbaexplore.plots.explorer.serving import serve

    serve(args.store, study, args.address, args.port, show=not args.no_browser)
    return 0


def _add_figure(commands: Commands) -> None:
    figure = commands.add_parser("figure", help="compute what is missing of a study, and draw its figure")
    what = figure.add_mutually_exclusive_group(required=True)
    what.add_argument("study", nargs="?", metavar="STUDY", help="a shipped study's name, or a study file's path")
    what.add_argument("--all", action="store_true", help="every shipped study that has a figure")
    figure.add_argument(
        "--out", metavar="DIR", default="figures", help="folder for the pictures (default: %(default)s)"
    )
    _add_execution(figure)
    figure.set_defaults(command=_figure)


def _figure(args: argparse.Namespace) -> int:
    from gbaexplore.running import figures
    from gbaexplore.study.file import shipped

    store, out, failed = place(args.store), local(args.out), False
    if args.all and names_store(store):
        raise UserError(f"{store} is one store; expected a folder, for a store of each study: choose another --store")
    for name in shipped() if args.all else [args.study]:
        report, pictures = figures.make(name, store, out, args.workers, args.scheduler)
        say(f"{report.path}: {report.computed:,} of {report.points:,} points computed")
        say(*(f"  {picture}" for picture in pictures))
        failed |= bool(report.errors)
    return 1 if failed else 0


def _add_studies(commands: Commands) -> None:
    studies = commands.add_parser("studies", help="the shipped studies, with a line each")
    studies.set_defaults(command=_studies)


def _studies(args: argparse.Namespace) -> int:
    from gbaexplore.study.file import shipped

    listed = shipped()
    width = max(map(len, listed))
    say(*(f"{name:<{width}}  {line}" for name, line in listed.items()))
    return 0


def _add_new(commands: Commands) -> None:
    new = commands.add_parser("new", help="a study file of your own to start from")
    new.add_argument("path", metavar="FILE.py", help="where to write it")
    new.add_argument("--from", dest="origin", metavar="STUDY", default="gba_grid", help="default: %(default)s")
    new.set_defaults(command=_new)


def _new(args: argparse.Namespace) -> int:
    from gbaexplore.study.file import write_copy

    path = write_copy(args.origin, args.path)
    say(f"{path} is yours to change; then: gbaexplore run {path}")
    return 0


def _add_verify(commands: Commands) -> None:
    verify = commands.add_parser("verify", help="compare published and independent numbers with ours")
    verify.add_argument("--markdown", action="store_true", help="write the table as Markdown")
    verify.set_defaults(command=_verify)


def _verify(args: argparse.Namespace) -> int:
    from gbaexplore import verification

    rows = verification.verify()
    table = verification.markdown(rows) if args.markdown else verification.table(rows)
    say(*table.split("\n"))
    return 0 if all(row.passed for row in rows) else 1


_COMMANDS = (
    _add_run,
    _add_info,
    _add_diff,
    _add_check,
    _add_export,
    _add_plot,
    _add_explore,
    _add_figure,
    _add_studies,
    _add_new,
    _add_verify,
)
