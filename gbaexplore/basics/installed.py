"""Telling installed code from the user's own."""

import functools
import site
import sysconfig
from pathlib import Path


@functools.cache
def is_installed(file: str) -> bool:
    """Return whether a file is in the standard library or an installed package, whatever its folders are called."""
    return any(Path(file).resolve().is_relative_to(folder) for folder in _folders())


@functools.cache
def _folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {*site.getsitepackages(), site.getusersitepackages()}
    return tuple(Path(path).resolve() for path in found)
