"""Tables as text: CSV, TSV and columns with blanks between, with or without names."""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import from_text
from gbaexplore.networks.formats.found import Found, Table

_POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?", re.ASCII)
_MISSING = {"", "nan", "na", "n/a", "inf", "-inf", "<na>"}
_CORNER = {"area", "areas", "label", "labels", "region", "regions", "roi", "name", "names", "node"}
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class _Cells(NamedTuple):
    """Cells of a table, row by row, all rows of one length."""

    rows: list[list[str]]
    decimal_comma: bool

    def number(self, cell: str, what: str) -> float:
        comma = self.decimal_comma and _COMMA.fullmatch(cell)
        return from_text(cell.replace(",", ".") if comma else cell, what)


def read(data: bytes, what: str) -> Found:
    """Return the one table of a text file.

    Cells are separated by tabs, semicolons, commas or blanks: the first of these that is in most lines. Decimals have
    a point, or, where tabs or semicolons separate the cells, a comma. A first row, or a column, that is not numbers is
    names. Lines that start with # are left out.

    Raises:
        UserError: not text in UTF-8 or UTF-16; rows that differ in length; cells that are not numbers; signs that may
            be separators as well as decimal signs.
    """
    cells = _cells(data, what)
    header = cells.rows[0] if _is_header(cells.rows) else None
    body = cells.rows[1:] if header else cells.rows
    if not body:
        raise UserError(f"{what} has 1 rows; expected a header and a row for each area")
    columns = list(zip(*body))
    at = _names_at(header, columns)
    names = None if at is None else columns[at]
    # Of the others, words are no matter: a remark in each row.
    kept = [i for i, column in enumerate(columns) if i != at and any(map(_is_number, column))]
    if header and header[0] == "" and at not in (None, 0):  # the numbers of rows
        kept = [i for i in kept if i != 0]
    if not kept:
        return {"": Table(rows=names)}
    titles = [header[i] for i in kept] if header else [f"column {i + 1}" for i in kept]
    array = np.empty((len(body), len(kept)))
    for r, row in enumerate(body):
        place = f"{what}, {names[r] if names else f'row {r + 1}'}<-"
        array[r] = [cells.number(row[i], place + title) for i, title in zip(kept, titles)]
    return {"": Table(array, names, tuple(titles) if header else None)}


def _cells(data: bytes, what: str) -> _Cells:
    lines = [line for line in _text(data, what).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise UserError(f"{what} has 0 rows; expected a table")
    otherwise = "," if any(line.startswith('"') for line in lines) else " "  # one column, quoted
    separator = next((sign for sign in "\t;," if sum(sign in line for line in lines) > len(lines) / 2), otherwise)
    rows = _separated(lines, separator, what)
    most = max(set(map(len, rows)), key=[*map(len, rows)].count)
    for row in rows:
        if len(row) != most:
            raise UserError(
                f'{what}: the row of "{row[0][:40]}" has {len(row)} cells; expected {most}, as in most rows'
            )
    return _Cells(rows, separator in "\t;" and _decimal_comma(rows, what))


def _text(data: bytes, what: str) -> str:
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{what} is not text in UTF-8 ({error.reason} at byte {error.start}); expected a table: save it with the "
            "encoding UTF-8"
        ) from None


def _separated(lines: list[str], separator: str, what: str) -> list[list[str]]:
    if separator == " ":
        rows = [line.split() for line in lines]
        numbers = any(_POINT.fullmatch(cell) for row in rows for cell in row)
        return rows if numbers else [[line.strip()] for line in lines]  # a name on each line
    try:
        table = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=separator, skipinitialspace=True)
        rows = [[cell.strip() for cell in row] for row in table if row]
    except csv.Error as error:
        raise UserError(f"{what} can't be read as a table: {error}; expected cells with one separator") from None
    if all(row[-1] == "" for row in rows):  # a separator at the end of each line
        rows = [row[:-1] for row in rows]
    if separator == "," and any(_are_numbers(cell.split()) for row in rows for cell in row):
        raise UserError(
            f"{what} has both commas and blanks between digits, and either may separate the cells; expected decimal "
            "points, or semicolons or tabs between the cells: save it so"
        )
    return rows


def _are_numbers(parts: list[str]) -> bool:
    return len(parts) > 1 and all(map(_POINT.fullmatch, parts))


def _decimal_comma(rows: list[list[str]], what: str) -> bool:
    cells = [cell for row in rows for cell in row]
    comma = next(filter(_COMMA.fullmatch, cells), None)
    point = next((cell for cell in cells if "." in cell and _POINT.fullmatch(cell)), None)
    if comma and point:
        raise UserError(
            f'{what} has "{comma}" and "{point}"; expected one decimal sign, a point or a comma, in all of its numbers'
        )
    return comma is not None


def _is_number(cell: str) -> bool:
    """Return whether a cell is a number, or stands for one, whatever the decimal sign: if not, it is a word."""
    return bool(_POINT.fullmatch(cell) or _COMMA.fullmatch(cell)) or cell.lower() in _MISSING


def _is_header(rows: list[list[str]]) -> bool:
    first, *others = rows
    if first[0].lower() in ("", *_CORNER):
        return len(first) > 1 or first[0] != ""
    if len(others) == len(first) and len(set(first)) == len(first) and all(map(str.isdecimal, first)):
        return True  # areas that are numbered
    return bool(others) and any(
        not _is_number(title) and all(map(_is_number, column)) for title, column in zip(first, zip(*others))
    )


def _names_at(header: list[str] | None, columns: list[tuple[str, ...]]) -> int | None:
    """Return which column has the names of the rows."""
    titled = next((i for i, title in enumerate(header or ()) if title.lower() in _CORNER), None)
    if titled is not None:
        return titled
    if (header and (header[0] == "" or tuple(header[1:]) == columns[0])) or not all(map(_is_number, columns[0])):
        return 0
    return next((i for i, column in enumerate(columns) if not any(map(_is_number, column))), None)
