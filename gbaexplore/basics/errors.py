"""`UserError`, for mistakes the user can fix, and helpers that word its messages."""

import re
import traceback
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gbaexplore.basics.installed import is_installed

_PACKAGE = str(Path(__file__).parents[1])
_LONGEST = 80  # characters of a name in a list


class UserError(ValueError):
    """A mistake that the user can fix; its text gives what was found, what was expected, and the fix.

    The command line prints the text as one line and exits with 2. It may contain names from files and stores of any
    origin, so it is made `printable`.
    """

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))


def printable(text: object) -> str:
    r"""Return text with its control and direction characters escaped, so that it is harmless in a terminal.

    >>> print(printable("V1\x1b[2K\n"))
    V1\x1b[2K\n
    """
    words = str(text)
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def text_of(error: BaseException, most: int = 300) -> str:
    """Return an error's text on one line, cut after `most` characters; its type's name if it has no text."""
    words = printable(" ".join(str(error).split()))
    return (words if len(words) <= most else f"{words[:most]}...") or type(error).__name__


def redacted(text: str, most: int = 200) -> str:
    """Return an error's text as it may be kept in a file that is shared: no passwords, no home folder, not long.

    >>> redacted("no s3://me:hidden@host/x?token=abc for /home/me", most=60)
    'no s3://...@host/x?token=... for /home/me'
    """
    words = re.sub(r"(\w+://)[^/\s@]*@", r"\1...@", printable(text))
    words = re.sub(
        r"(?i)\b(\w*(?:token|password|passwd|secret|key|signature|credential)\w*)=[^\s&,;]+", r"\1=...", words
    )
    words = words.replace(str(Path.home()), "~") if len(str(Path.home())) > 1 else words
    return words if len(words) <= most else f"{words[:most]}..."


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Return '; did you mean "V1"?' for the nearest of `known`, or '' when none is near.

    >>> did_you_mean("muee", ["muEE", "muIE"])
    '; did you mean "muEE"?'
    """
    by_lower = {name.lower(): name for name in reversed(list(known))}
    near = get_close_matches(found.lower(), by_lower, n=1, cutoff=0.6)
    return f'; did you mean "{by_lower[near[0]]}"?' if near else ""


def shown(value: object) -> str:
    """Return a value as Python writes it, on one line, cut after 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:60]}..."


def unknown(what: str, name: str, known: Iterable[str], kind: str) -> str:
    """Return a message about an unknown name: what was asked for, the nearest name, the known names.

    >>> unknown('no area "v1" in macaque29', "v1", ["V1", "V2"], "Areas")
    'no area "v1" in macaque29; did you mean "V1"? Areas: V1, V2'
    """
    names = [str(one) for one in known]
    return f"{what}{did_you_mean(str(name), names) or ';'} {kind}: {listing(names)}"


def listing(names: Iterable[object], most: int = 40) -> str:
    """Join names for a message; long lists, and long names, are cut: "V1, V2 and 27 more".

    >>> listing(["V1", "V2", "V4"], most=2)
    'V1, V2 and 1 more'
    """
    words = [text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..." for text in map(str, names)]
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return (", ".join(words[:most]) or "none") + more


def raised_at(error: BaseException) -> str:
    """Return ' (FILE, line N)': the innermost line of the user's own code in an exception's traceback.

    Without such a line, the innermost one of this package; else ''.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not is_installed(f.filename)]
    own = [f for f in frames if not f.filename.startswith(_PACKAGE)] or frames
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def defined_at(function: Callable[..., Any]) -> str:
    """Return ' (FILE, line N)': the first line of a function's definition; '' if it is not written in Python."""
    code = getattr(function, "__code__", None)
    return f" ({Path(code.co_filename).name}, line {code.co_firstlineno})" if code else ""


def one_line(error: BaseException) -> str:
    """Return an exception's type, text and place (see `raised_at`) on one line."""
    text = text_of(error)
    if type(error).__name__ == "TracerBoolConversionError" or "truth value of an array" in text:
        text = "if, and, or, not and while can't decide over arrays; use jnp.where, jnp.maximum or jnp.logical_and"
    if type(error).__name__ == "TypePromotionError":
        text = (
            "JAX is set to forbid operands of different dtypes; unset JAX_NUMPY_DTYPE_PROMOTION, or set it to standard"
        )
    return f"{type(error).__name__}: {text}{raised_at(error)}"
