"""The command line: thin and quick to start; each command imports what it needs."""

from __future__ import annotations

import argparse
import os
from typing import NoReturn

from gbaexplore.basics import streams
from gbaexplore.basics.errors import UserError, printable
from gbaexplore.basics.streams import say
from gbaexplore.cli import completion, pictures, stores, studies
from gbaexplore.running.interrupts import watch

_EXAMPLES = """examples:
  gbaexplore run studies/gba_grid.py               compute the map (or what is missing of it)
  gbaexplore run studies/gba_grid.py --dry-run     what it would take
  gbaexplore run my_study.py --workers 8           eight worker processes
  gbaexplore fit studies/wilson_cowan_means.py     search for the parameters that explain data
  gbaexplore info store/gba_grid.zarr              what a store holds, and what made it
  gbaexplore check store/gba_grid.zarr --repair    whether it is as it was written; repair it if not
  gbaexplore diff A.zarr B.zarr                    what two stores differ in
  gbaexplore share store/gba_grid.zarr             a folder for others: store, study, connectomes, what to cite
  gbaexplore export store/gba_grid.zarr map.nc     for other programs: .nc, .zarr, .csv, .parquet
  gbaexplore plot store/gba_grid.zarr              draw it to a file
  gbaexplore explore store/gba_grid.zarr           look at it in the browser; --html FILE: as one page
  gbaexplore figure fig2c                          compute what is missing of a figure, and draw it
  gbaexplore new my_study.py --from fig2c          a file of your own to start from
  gbaexplore verify                                published and independent numbers against ours
  eval "$(gbaexplore completion bash)"             the TAB key completes commands, options and files

exit codes: 0 done, 1 finished with failed points (check, diff: something was found), 2 a mistake in what was asked
for, 130 interrupted
"""


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    streams.prepare()
    elsewhere = False
    try:
        args = _parsed(argv)
        elsewhere = getattr(args, "workers", None) is not None or getattr(args, "scheduler", None) is not None
        watch()
        return args.command(args)
    except UserError as error:
        streams.complain(f"gbaexplore: {error}")
        return 2
    except KeyboardInterrupt as stopped:
        streams.complain(f"gbaexplore: {stopped if stopped.args else 'interrupted'}")
        return 130 if elsewhere else _ended(130)


def _ended(code: int) -> int:
    """Return the exit code without waiting for a thread that still computes a block.

    Where other processes compute, nothing here has to be waited for, and what is shared with them has to be given back.
    """
    import threading

    if threading.active_count() > 1:
        os._exit(code)
    return code


def _parsed(argv: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    if completion.ASKED in os.environ:
        completion.complete(parser)
    try:
        return parser.parse_args(argv)
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


_COMMANDS = (
    studies.add_run,
    studies.add_fit,
    stores.add_info,
    stores.add_diff,
    stores.add_check,
    stores.add_share,
    stores.add_export,
    pictures.add_plot,
    pictures.add_explore,
    studies.add_figure,
    studies.add_studies,
    studies.add_new,
    studies.add_verify,
    completion.add_completion,
)
