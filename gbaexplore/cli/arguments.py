"""Arguments that several commands share, and their types."""

from __future__ import annotations

import argparse
import glob
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from gbaexplore.basics.places import shipped_folder

_MOST_WORKERS = 1024

Commands: TypeAlias = "argparse._SubParsersAction[Any]"


def add_place(command: Any, name: str, offered: Callable[..., Iterator[str]], **settings: Any) -> None:
    """Add an argument that is a place or a name, with what a shell may complete it to."""
    command.add_argument(name, **settings).completer = offered


def stores(prefix: str, **_: object) -> Iterator[str]:
    """Yield the stores, and the folders they may be in, whose paths start so."""
    for path in _paths(prefix):
        if path.is_dir():
            yield f"{path}" if path.suffix == ".zarr" else f"{path}/"


def studies(prefix: str, **_: object) -> Iterator[str]:
    """Yield the shipped studies, and the study files and folders, whose names start so."""
    yield from (file.stem for file in sorted(shipped_folder("studies").glob(f"{glob.escape(prefix)}*.py")))
    for path in _paths(prefix):
        if path.is_dir() or path.suffix == ".py":
            yield f"{path}/" if path.is_dir() else f"{path}"


def _paths(prefix: str) -> Iterator[Path]:
    for found in sorted(glob.glob(f"{glob.escape(os.path.expanduser(prefix))}*")):
        yield Path(found)


def add_store(command: argparse.ArgumentParser) -> None:
    add_place(command, "store", stores, metavar="STORE", help="a NAME.zarr folder, or its URL")


def add_execution(command: argparse.ArgumentParser) -> None:
    add_place(
        command,
        "--store",
        stores,
        metavar="PLACE",
        default="store",
        help="folder that holds NAME.zarr, or X.zarr, the store itself; or the URL of either, s3://BUCKET/FOLDER "
        "(default: %(default)s)",
    )
    add_workers(command)


def add_workers(command: argparse.ArgumentParser) -> None:
    workers = command.add_mutually_exclusive_group()
    workers.add_argument("--workers", metavar="N", type=_workers, help="N processes (default: a thread per core)")
    workers.add_argument("--scheduler", metavar="ADDR", type=_address, help="a running dask scheduler, tcp://HOST:PORT")


def _workers(text: str) -> int:
    return _whole_number(text, 1, _MOST_WORKERS)


def _address(text: str) -> str:
    if not re.fullmatch(r"(\w+://)?[^\s/]+:\d{1,5}", text):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not an address; expected one such as tcp://127.0.0.1:8786")
    return text


def host(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the address is empty; expected one of this machine, such as 127.0.0.1")
    return text


def budget(text: str) -> int:
    return _whole_number(text, 1, 999_999_999)


def port(text: str) -> int:
    return _whole_number(text, 0, 65535)


def selection(text: str) -> tuple[str, str]:
    axis, found, label = text.partition("=")
    if not (axis and found and label):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no selection; expected AXIS=LABEL, such as G=0.5")
    return axis, label


def _whole_number(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {least} to {most:,}")
    return int(text)
