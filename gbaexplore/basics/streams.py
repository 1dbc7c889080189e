"""Standard input, output and error, which may be closed, full, ASCII only, or abandoned by their reader."""

from __future__ import annotations

import io
import os
import sys

from gbaexplore.basics.errors import UserError, printable


def prepare() -> None:
    """Make the three streams usable, however the program was started.

    A closed stream becomes the null device; otherwise the next file that is opened, perhaps in a store, would get its
    number and everything that is printed. Characters that a stream can't encode are escaped.
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
    """Print each value as one line to standard output, made `printable` because it may contain labels from stores.

    Once its reader is gone, as in `gbaexplore check ... | head`, lines are dropped; the command's work and exit code
    stay the same.

    Raises:
        UserError: it can't be written to.
    """
    flush("".join(f"{printable(line)}\n" for line in lines))


def flush(text: str = "") -> None:
    """Flush standard output, with more text; raises what `say` raises."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        drop(sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return
        raise UserError(f"standard output can't be written to: {error.strerror}; give it another place") from None


def complain(text: str) -> None:
    """Print a line to standard error, if possible."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr.fileno())


def drop(number: int) -> None:
    """Redirect a stream to the null device, so that its buffer can be flushed when the program ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
