"""A connectome's files: a folder of CSV tables, read and written, and a MATLAB file, read."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError, listing
from gbaexplore.basics.places import check_writable, writing

_SUMS = "SHA256SUMS"
_RAW, _RELATIVE = "hierarchy_raw", "hierarchy"
_MAT = {"fln": "flnMat", "sln": "slnMat", "wiring_mm": "wiring"}  # as published with the macaque's data


class Anatomy(NamedTuple):
    """What files and tables hold of a connectome, the areas in any order."""

    areas: tuple[str, ...]
    hierarchy: np.ndarray  # (n,) 0 to 1
    matrices: dict[str, np.ndarray]  # field of Connectome -> (n, n), row = target, column = source


def relative(raw: np.ndarray) -> np.ndarray:
    """Return a raw hierarchy divided by its largest value."""
    top = raw.max(initial=0.0)
    return raw / top if top > 0 else raw


# A folder of CSV tables.


def read_folder(folder: Path, fields: Iterable[str]) -> Anatomy:
    """Return what a folder holds: `areas.csv`, and those of the fields that it has.

    Raises:
        UserError: files that are not there, do not match their checksum or each other, or hold no numbers.
    """
    _check_sums(folder)
    areas, hierarchy = _read_areas(folder / "areas.csv")
    files = {field: folder / f"{field}.csv" for field in fields}
    matrices = {field: _read_matrix(file, areas) for field, file in files.items() if file.exists()}
    if "fln" not in matrices:
        raise UserError(f"{folder} has no fln.csv; expected the fraction of labelled neurons, row = target")
    return Anatomy(areas, hierarchy, matrices)


def write_folder(folder: Path, anatomy: Anatomy) -> Path:
    """Write a folder that `read_folder` reads back to the last bit, with its checksums; return it.

    Raises:
        UserError: the folder has files already, or can't be written to.
    """
    check_writable(folder / _SUMS)
    areas, hierarchy, matrices = anatomy
    tables = {"areas": [["area", _RELATIVE], *zip(areas, hierarchy.tolist())]}
    for field, matrix in matrices.items():
        rows = [[area, *row] for area, row in zip(areas, matrix.tolist())]
        tables[field] = [["target\\source", *areas], *rows]
    with writing(folder, "choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"{folder} has files already; expected a new or an empty folder: choose another")
        for name, table in tables.items():
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(table)
        sums = [f"{_sha256(folder / f'{name}.csv')}  {name}.csv\n" for name in sorted(tables)]
        (folder / _SUMS).write_text("".join(sums), encoding="utf-8")
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_sums(folder: Path) -> None:
    sums = folder / _SUMS
    for line in sums.read_text().splitlines() if sums.exists() else ():
        expected, name = line.split(maxsplit=1)
        path = folder / name.lstrip("*")
        found = _sha256(path) if path.exists() else "no such file"
        if found != expected:
            raise UserError(
                f"{path} is not the file that {sums} names (sha256 {found[:12]}, expected {expected[:12]}); "
                "restore it, or remove SHA256SUMS if the change is meant"
            )


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read as text: {error}; expected a CSV table") from None
    if len(rows) < 2:
        raise UserError(f"{path} has {len(rows)} rows; expected a header and a row for each area")
    return rows


def _numbers(path: Path, rows: Iterable[list[str]]) -> np.ndarray:
    try:
        return np.array([[float(cell) for cell in row] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise UserError(f"{path}: {error}; expected a number in every cell and as many in every row") from None


def _read_areas(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    header, *rows = _rows(path)
    if header[:2] not in (["area", _RAW], ["area", _RELATIVE]):
        raise UserError(f"{path} starts with columns {header}; expected area, {_RAW} (or area, {_RELATIVE})")
    values = _numbers(path, (row[1:2] for row in rows))[:, 0]
    return tuple(row[0] for row in rows), relative(values) if header[1] == _RAW else values


def _read_matrix(path: Path, areas: tuple[str, ...]) -> np.ndarray:
    (_, *sources), *rows = _rows(path)
    for what, labels in {"columns": tuple(sources), "rows": tuple(row[0] for row in rows)}.items():
        if labels != areas:
            differing = next(((a, b) for a, b in zip(labels, areas) if a != b), (len(labels), len(areas)))
            raise UserError(
                f"{path}: {what} are not the areas of areas.csv in their order "
                f"(found {differing[0]}, expected {differing[1]})"
            )
    return _numbers(path, (row[1:] for row in rows))


# A MATLAB file.


def read_mat(path: Path) -> Anatomy:
    """Return what a MATLAB file holds: `flnMat`, `hierVals`, `areaList` and, if it has them, `slnMat` and `wiring`.

    Raises:
        UserError: no MATLAB file that can be read, variables that are not there or do not fit each other.
    """
    found = _variables(path)
    lacking = [name for name in ("flnMat", "hierVals", "areaList") if name not in found]
    if lacking:
        known = [name for name in found if not name.startswith("__")]
        raise UserError(
            f"{path} has no {', '.join(lacking)}; expected flnMat, hierVals and areaList (it has {listing(known)})"
        )
    # A cell array of text is an array of arrays, an array of characters one of padded text.
    areas = tuple(str(np.squeeze(cell)).strip() for cell in np.ravel(found["areaList"]))
    n = len(areas)
    expected = {"hierVals": (n,), **dict.fromkeys(_MAT.values(), (n, n))}
    values = {}
    for name in expected.keys() & found.keys():
        values[name] = array = np.ravel(found[name]) if name == "hierVals" else np.asarray(found[name])
        if array.shape != expected[name] or array.dtype.kind not in "iuf":
            raise UserError(
                f"{path}: {name} is {array.dtype} of shape {array.shape}; expected numbers of shape {expected[name]}, "
                f"for the {n} areas of areaList"
            )
    matrices = {field: values[name].astype(np.float64) for field, name in _MAT.items() if name in values}
    return Anatomy(areas, relative(values["hierVals"].astype(np.float64)), matrices)


def _variables(path: Path) -> dict[str, Any]:
    import scipy.io

    try:
        with path.open("rb") as file:
            return scipy.io.loadmat(file)
    except NotImplementedError:  # HDF5
        raise UserError(
            f"{path} is a MATLAB file of version 7.3; expected version 7 or earlier: in MATLAB, save it anew with "
            "save(file, '-v7')"
        ) from None
    except (OSError, ValueError, TypeError, scipy.io.matlab.MatReadError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{path} can't be read as a MATLAB file: {why}; expected one made by save") from None
