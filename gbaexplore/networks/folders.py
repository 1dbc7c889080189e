"""A connectome's own folder: written as tables that any program reads, with checksums."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, text_of
from gbaexplore.basics.places import check_writable, read, writing

AREAS, ABOUT = "areas", "about.json"
PLACES = ("x_mm", "y_mm", "z_mm")
"""Columns of the table of areas that are positions."""
_SUMS = "SHA256SUMS"
_SUM = re.compile(r"(?P<sha>[0-9a-fA-F]{64}) [ *](?P<name>\S.*)")


def write(
    folder: Path,
    areas: tuple[str, ...],
    columns: Mapping[str, np.ndarray],
    matrices: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
) -> Path:
    """Write a folder with checksums, from which `load_connectome` reads the same bits; return it.

    Args:
        columns: of `areas.csv`.
        matrices: name of a table -> (n, n).
        about: what `about.json` says of columns and matrices.

    Raises:
        UserError: the folder has files already, or can't be written to.
    """
    check_writable(folder / _SUMS)
    tables = {
        AREAS: [["area", *columns], *([a, *row] for a, *row in zip(areas, *(c.tolist() for c in columns.values())))]
    }
    for name, matrix in matrices.items():
        rows = [[area, *row] for area, row in zip(areas, matrix.tolist())]
        tables[name] = [["target\\source", *areas], *rows]
    with writing(folder, "choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"{folder} has files already; expected a new or an empty folder: choose another")
        for name, table in tables.items():
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                # Names with blanks, alone on their lines, would be read as several cells.
                dialect = csv.unix_dialect if len(table[0]) == 1 else csv.excel
                csv.writer(file, dialect, lineterminator="\n").writerows(table)
        if about:
            (folder / ABOUT).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        sums = [f"{_sha256(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
        (folder / _SUMS).write_text("".join(sums), encoding="utf-8")
    return folder


def about_of(data: bytes, what: str) -> dict[str, dict[str, str]]:
    """Return what `about.json` says of each name.

    Raises:
        UserError: it is not JSON of that form.
    """
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{what} is not JSON ({text_of(error)}); expected name -> what is said of it") from None
    told = isinstance(found, dict) and all(
        isinstance(said, dict) and all(isinstance(text, str) for text in said.values()) for said in found.values()
    )
    if not told:
        raise UserError(f'{what} is another JSON; expected {{"weights": {{"long_name": ..., "units": ...}}, ...}}')
    return found


def check_sums(folder: Path) -> None:
    """Raise UserError for files of a folder that are not those that its SHA256SUMS names."""
    sums = folder / _SUMS
    for number, line in enumerate(os.fsdecode(read(sums)).splitlines() if os.path.lexists(sums) else (), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _SUM.fullmatch(line.strip())
        # Only files in this folder are read.
        if not found or str(Path(found["name"])) != Path(found["name"]).name:
            raise UserError(
                f"{sums}, line {number}: found {line[:100]!r}; expected a SHA-256 and the name of a file beside it, "
                "as sha256sum writes them"
            )
        path, expected = folder / found["name"], found["sha"].lower()
        digest = _sha256(path) if os.path.lexists(path) else "no such file"
        if digest != expected:
            raise UserError(
                f"{path} is not the file that {sums} names (sha256 {digest[:12]}, expected {expected[:12]}); "
                "restore it, or remove SHA256SUMS if the change is meant"
            )


def _sha256(path: Path) -> str:
    return hashlib.sha256(read(path)).hexdigest()
