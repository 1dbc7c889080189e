"""Completion in a shell: of commands, options, stores, study files and the names of shipped studies."""

from __future__ import annotations

import argparse

from gbaexplore.basics.streams import say
from gbaexplore.cli.arguments import Commands

ASKED = "_ARGCOMPLETE"
"""The variable by which a shell asks for completions."""
_HOW = {
    "bash": 'in ~/.bashrc: eval "$(gbaexplore completion bash)"',
    "zsh": 'in ~/.zshrc, after compinit: eval "$(gbaexplore completion zsh)"',
    "fish": "in ~/.config/fish/config.fish: gbaexplore completion fish | source",
}


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and end."""
    import argcomplete

    argcomplete.autocomplete(parser, always_complete_options="long")


def add_completion(commands: Commands) -> None:
    completion = commands.add_parser(
        "completion",
        help="what makes the TAB key complete commands in bash, zsh or fish",
        epilog="\n".join(_HOW.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    completion.add_argument("shell", choices=list(_HOW), help="the shell whose configuration it is for")
    completion.set_defaults(command=_completion)


def _completion(args: argparse.Namespace) -> int:
    import argcomplete

    say(*argcomplete.shellcode(["gbaexplore"], shell=args.shell).split("\n"))
    return 0
