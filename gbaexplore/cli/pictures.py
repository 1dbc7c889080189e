"""Commands that show a store: as pictures, in the browser."""

from __future__ import annotations

import argparse

from gbaexplore.basics.places import place
from gbaexplore.basics.streams import say
from gbaexplore.cli.arguments import Commands, add_place, add_store, host, port, selection, studies


def add_plot(commands: Commands) -> None:
    plot = commands.add_parser("plot", help="draw a store: its map, or what suits it")
    add_store(plot)
    plot.add_argument("--out", metavar="FILE", help=".png, .svg or .pdf (default: figures/NAME.png)")
    plot.add_argument(
        "--select", metavar="AXIS=LABEL", action="append", default=[], type=selection, help="draw this label alone"
    )
    plot.set_defaults(command=_plot)


def _plot(args: argparse.Namespace) -> int:
    from gbaexplore import plots

    say(plots.store(place(args.store), args.out, dict(args.select)))
    return 0


def add_explore(commands: Commands) -> None:
    explore = commands.add_parser("explore", help="look at a store in the browser: click a point, see its time courses")
    add_store(explore)
    add_place(explore, "--study", studies, metavar="STUDY.py", help="what made it, if the model is the study's own")
    explore.add_argument("--html", metavar="FILE", help="write one page that needs no server, instead")
    explore.add_argument("--address", type=host, default="127.0.0.1", help="where to serve (default: %(default)s)")
    explore.add_argument("--port", type=port, default=5006, help="0 for any that is free (default: %(default)s)")
    explore.add_argument("--no-browser", action="store_true", help="do not open one")
    explore.set_defaults(command=_explore)


def _explore(args: argparse.Namespace) -> int:
    from gbaexplore.fitting.file import study_of

    study = None if args.study is None else study_of(args.study, args.store)
    if args.html is not None:
        from gbaexplore.plots.explorer.one_file import write

        say(write(args.store, args.html))
        return 0
    from gbaexplore.plots.explorer.serving import serve

    serve(args.store, study, args.address, args.port, show=not args.no_browser)
    return 0
