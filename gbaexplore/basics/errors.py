"""`UserError`, for mistakes the user can fix, and helpers that word its messages."""

import sys
import traceback
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

_PACKAGE = str(Path(__file__).parents[1])
_INSTALLED = ("site-packages", "dist-packages", sys.base_prefix)


class UserError(ValueError):
    """A mistake in what was asked for: what was found, what was expected, what to do.

    The command line prints its text as one line and exits with 2.
    """


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Return '; did you mean "V1"?' for the nearest of `known`, or '' when none is near.

    >>> did_you_mean("muee", ["muEE", "muIE"])
    '; did you mean "muEE"?'
    """
    by_lower = {name.lower(): name for name in reversed(list(known))}
    near = get_close_matches(found.lower(), by_lower, n=1, cutoff=0.6)
    return f'; did you mean "{by_lower[near[0]]}"?' if near else ""


def listing(names: Iterable[object], most: int = 40) -> str:
    """Join names for a message; long lists are cut: "V1, V2 and 27 more".

    >>> listing(["V1", "V2", "V4"], most=2)
    'V1, V2 and 1 more'
    """
    words = [str(name) for name in names]
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return (", ".join(words[:most]) or "none") + more


def raised_at(error: BaseException) -> str:
    """Return ' (FILE, line N)': the last line of the user's own code that an exception came through.

    If it came through none, the last one of this package; '' if there is none of that either.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not any(p in f.filename for p in _INSTALLED)]
    own = [f for f in frames if not f.filename.startswith(_PACKAGE)] or frames
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def defined_at(function: Callable[..., Any]) -> str:
    """Return ' (FILE, line N)': where a function's definition starts; '' if it is not written in Python."""
    code = getattr(function, "__code__", None)
    return f" ({Path(code.co_filename).name}, line {code.co_firstlineno})" if code else ""


def one_line(error: BaseException) -> str:
    """Say what was raised and in which line of whose code: the last one of the user's own."""
    text = " ".join(str(error).split())[:300]
    if type(error).__name__ == "TracerBoolConversionError" or "truth value of an array" in text:
        text = "if, and, or, not and while can't decide over arrays; use jnp.where, jnp.maximum or jnp.logical_and"
    return f"{type(error).__name__}: {text}{raised_at(error)}"
