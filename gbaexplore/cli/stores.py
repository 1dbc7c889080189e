"""Commands of stores: what they hold, whether they are whole, copies for others."""

from __future__ import annotations

import argparse

from gbaexplore.basics.places import place
from gbaexplore.basics.streams import say
from gbaexplore.cli.arguments import Commands, add_place, add_store, stores, studies


def add_info(commands: Commands) -> None:
    info = commands.add_parser("info", help="what a store holds, and what made it")
    add_store(info)
    info.add_argument("--json", action="store_true", help="for machines, with the whole history")
    info.set_defaults(command=_info)


def _info(args: argparse.Namespace) -> int:
    from gbaexplore.store import info

    page = info.as_json(place(args.store)) if args.json else info.describe(place(args.store))
    say(*page.split("\n"))
    return 0


def add_diff(commands: Commands) -> None:
    diff = commands.add_parser("diff", help="what two stores differ in")
    add_place(diff, "first", stores, metavar="A", help="a NAME.zarr folder")
    add_place(diff, "second", stores, metavar="B", help="another")
    diff.set_defaults(command=_diff)


def _diff(args: argparse.Namespace) -> int:
    from gbaexplore.store.diff import diff

    found = diff(place(args.first), place(args.second))
    say(*(found or ["no difference"]))
    return 1 if found else 0


def add_check(commands: Commands) -> None:
    check = commands.add_parser("check", help="whether a store is as it was written")
    add_store(check)
    check.add_argument("--repair", action="store_true", help="mark what is damaged to be computed again")
    told = "compute a sample of its points again, and compare: are they the study's?"
    add_place(check, "--against", studies, metavar="STUDY.py", help=told)
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


def add_share(commands: Commands) -> None:
    share = commands.add_parser("share", help="a folder with a store, its study, its connectomes and what to cite")
    add_store(share)
    share.add_argument("folder", metavar="FOLDER", nargs="?", help="a new folder (default: NAME_shared)")
    add_place(share, "--study", studies, metavar="STUDY.py", help="the study file, where it is not found by itself")
    share.set_defaults(command=_share)


def _share(args: argparse.Namespace) -> int:
    from gbaexplore.running.share import share

    say(share(args.store, args.folder, args.study))
    return 0


def add_export(commands: Commands) -> None:
    export = commands.add_parser("export", help="write a store's results for other programs")
    add_store(export)
    export.add_argument("out", metavar="OUT", help="a new file; its ending says as what: .nc, .zarr, .csv, .parquet")
    export.set_defaults(command=_export)


def _export(args: argparse.Namespace) -> int:
    from gbaexplore.store.export import export

    export(place(args.store), args.out)
    say(args.out)
    return 0
