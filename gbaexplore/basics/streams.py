"""Standard input, output and error: closed, full, with few letters, or read by no one any more."""

from __future__ import annotations

import io
import os
import sys

from gbaexplore.basics.errors import UserError, printable


class NobodyReads(Exception):
    """The reader of standard output has gone, as in `gbaexplore info ... | head`."""


def prepare() -> None:
    """Make the three streams usable, however the program was started.

    One that is closed becomes the null device; else the next file that is opened, in a store perhaps, would take its
    number, and all that is printed. Letters that a stream can't take are escaped.
    """
    while (spare := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(spare, True)
    os.close(spare)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
        elif number and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(*lines: object) -> None:
    """Print lines to standard output, `printable`: labels of a store are among them.

    Raises:
        NobodyReads: its reader has gone.
        UserError: it can't be written to.
    """
    flush("".join(f"{printable(line)}\n" for text in lines for line in str(text).split("\n")))


def flush(text: str = "") -> None:
    """Write text to standard output, with what it still holds; raises what `say` raises."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        drop(sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise NobodyReads from None
        raise UserError(f"standard output can't be written to: {error.strerror}; give it another place") from None


def complain(text: str) -> None:
    """Print a line to standard error, if it can be."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr.fileno())


def drop(number: int) -> None:
    """Let a stream go to the null device: what it still holds can be written nowhere else when the program ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
