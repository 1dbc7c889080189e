"""Commands of studies: computing them, drawing their figures, making files of one's own."""

from __future__ import annotations

import argparse

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.places import local, names_store, place
from gbaexplore.basics.streams import say
from gbaexplore.cli.arguments import Commands, add_execution, add_place, add_workers, budget, stores, studies


def add_run(commands: Commands) -> None:
    run = commands.add_parser("run", help="compute what is missing of a study")
    add_place(run, "study", studies, metavar="STUDY.py", help="a study file, or the name of a shipped study")
    add_execution(run)
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


def add_fit(commands: Commands) -> None:
    fit = commands.add_parser("fit", help="search for the parameters at which a study's loss is least")
    told = "a study file that defines a fit, or a shipped study's name"
    add_place(fit, "study", studies, metavar="STUDY.py", help=told)
    told = "folder that holds NAME.zarr, or X.zarr, the store itself (default: %(default)s)"
    add_place(fit, "--store", stores, metavar="PLACE", default="store", help=told)
    fit.add_argument("--budget", metavar="N", type=budget, help="largest number of evaluations (default: the fit's)")
    add_workers(fit)
    fit.set_defaults(command=_fit)


def _fit(args: argparse.Namespace) -> int:
    from gbaexplore.fitting.file import load_fit
    from gbaexplore.running.progress import Progress

    found = load_fit(args.study).run(place(args.store), args.budget, args.workers, args.scheduler, Progress)
    say(*str(found).split("\n"))
    return 0


def add_figure(commands: Commands) -> None:
    figure = commands.add_parser("figure", help="compute what is missing of a study, and draw its figure")
    what = figure.add_mutually_exclusive_group(required=True)
    told = "a shipped study's name, or a study file's path"
    add_place(what, "study", studies, nargs="?", metavar="STUDY", help=told)
    what.add_argument("--all", action="store_true", help="every shipped study that has a figure")
    figure.add_argument(
        "--out", metavar="DIR", default="figures", help="folder for the pictures (default: %(default)s)"
    )
    add_execution(figure)
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


def add_studies(commands: Commands) -> None:
    listed = commands.add_parser("studies", help="the shipped studies, with a line each")
    listed.set_defaults(command=_studies)


def _studies(args: argparse.Namespace) -> int:
    from gbaexplore.study.file import shipped

    listed = shipped()
    width = max(map(len, listed))
    say(*(f"{name:<{width}}  {line}" for name, line in listed.items()))
    return 0


def add_new(commands: Commands) -> None:
    new = commands.add_parser("new", help="a study file of your own to start from")
    new.add_argument("path", metavar="FILE.py", help="where to write it")
    add_place(new, "--from", studies, dest="origin", metavar="STUDY", default="gba_grid", help="default: %(default)s")
    new.set_defaults(command=_new)


def _new(args: argparse.Namespace) -> int:
    from gbaexplore.study.file import write_copy

    path = write_copy(args.origin, args.path)
    say(f"{path} is yours to change; then: gbaexplore run {path}")
    return 0


def add_verify(commands: Commands) -> None:
    verify = commands.add_parser("verify", help="compare published and independent numbers with ours")
    verify.add_argument("--markdown", action="store_true", help="write the table as Markdown")
    verify.set_defaults(command=_verify)


def _verify(args: argparse.Namespace) -> int:
    from gbaexplore import verification

    rows = verification.verify()
    table = verification.markdown(rows) if args.markdown else verification.table(rows)
    say(*table.split("\n"))
    return 0 if all(row.passed for row in rows) else 1
