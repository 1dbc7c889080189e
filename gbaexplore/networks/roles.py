"""Which of the tables in a file are weights, lengths, names and values of areas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, listing, shown, unknown
from gbaexplore.basics.numbers import array
from gbaexplore.networks.anatomy import area_names
from gbaexplore.networks.folders import PLACES
from gbaexplore.networks.formats.found import Found, Table
from gbaexplore.networks.formats.graphs import NODES
from gbaexplore.networks.tables import taken

_WEIGHTS, _LENGTHS, _LABELS, _HIERARCHY, _RAW = "weights", "lengths", "labels", "hierarchy", "raw hierarchy"
_GROUPS = ("further_weights", "pathway_values")
# Without signs and in small letters: of a whole name, then of any word in it.
_KNOWN: dict[str, set[str]] = {
    _WEIGHTS: {"w", "c", "sc", "cmat", "fln", "flnmat", "connectivity", "weights", "adjacency", "a"},
    _LENGTHS: {"d", "l", "dmat", "len", "lengths", "tractlengths", "lengthmat", "lengthsmm", "wiring", "wiringmm"},
    _LABELS: {"areas", "arealist", "labels", "centres", "centers", "regionlabels", "regions", "rois", "names", "nodes"},
    _HIERARCHY: {"hierarchy"},
    _RAW: {"hierarchyraw", "hiervals"},
    "sln": {"sln", "slnmat"},
    "inhibitory": {"flninhibitory"},
}
_WORDS = {
    _LENGTHS: {"length", "lengths", "len", "distance", "distances", "dist", "tract", "wiring"},
    _WEIGHTS: {"weight", "weights", "sc", "cm", "strength", "strengths", "fln", "adjacency", "connectome"},
    _LABELS: {"label", "labels", "centres", "centers", "name", "names"},
}
_NAMED = {"sln": "pathway_values", "inhibitory": "further_weights"}


class Asked:
    """What the caller says of the names in a file.

    Raises:
        UserError: something else than names.
    """

    def __init__(self, weights: Any, lengths: Any, labels: Any, values: Any) -> None:
        for what, name in {"weights": weights, "lengths": lengths}.items():
            if name is not None and not isinstance(name, str):
                raise UserError(f"{what} is {shown(name)}; expected the name that it has in the file")
        self.weights, self.lengths, self.labels = weights, lengths, labels
        given = values if isinstance(values, Mapping) else {name: name for name in _listed(values)}
        for name in given.values():
            if not isinstance(name, str):
                raise UserError(f"values has {shown(name)}; expected names that values of areas have in the file")
        self.values: Mapping[str, str] = given


def _listed(values: Any) -> Sequence[Any]:
    if values is None:
        return ()
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise UserError(f"values is {shown(values)}; expected a list of names, or a mapping: new name -> name there")
    return values


class Roles:
    """What each table of a file is.

    Args:
        found: the tables, by name.
        about: what is said of some of them; a "role" says that a matrix is further weights, or a value of pathways.
        what: the file, for messages.
    """

    def __init__(self, found: Found, about: Mapping[str, Mapping[str, str]], asked: Asked, what: str) -> None:
        self.found, self.about, self.asked, self.what = found, about, asked, what
        self.roles = {name: _role(name) for name in found}
        told = {name for name, said in about.items() if said.get("role") in _GROUPS}
        self.squares = {
            name: table
            for name, table in found.items()
            if _is_square(table, named=self.roles[name] == _WEIGHTS) and name not in told
        }

    def parts(self) -> dict[str, Any]:
        """Return what a `Connectome` is made of, its name apart.

        Raises:
            UserError: it is not clear what is what; tables that do not fit each other, or can't be read.
        """
        weights = self._weights()
        self._n = len(self.found[weights].array)
        labels = self._labels(weights)
        self.areas = self._areas(labels, weights)
        lengths = self._lengths(weights)
        parts: dict[str, Any] = {"areas": self.areas, "weights": self._matrix(weights)}
        if lengths is not None:
            parts["lengths_mm"] = self._matrix(lengths)
        columns = self._columns(labels)
        places = [columns.pop(place) for place in PLACES] if set(PLACES) <= set(columns) else []
        if places:
            parts["positions_mm"] = np.transpose(places)
        parts["values"] = columns | self._values()
        for group in _GROUPS:
            parts[group] = {name: self._matrix(there) for name, there in self._further(group, weights, lengths).items()}
        names = [
            "weights",
            "lengths_mm",
            "positions_mm",
            *(name for group in ("values", *_GROUPS) for name in parts[group]),
        ]
        parts["about"] = {
            name: {key: text for key, text in said.items() if key != "role"}
            for name, said in self.about.items()
            if name in names
        }
        return parts

    # Which table is what.

    def _weights(self) -> str:
        if self.asked.weights is not None:
            return self._square(self.asked.weights, "weights")
        self._check_readable(_WEIGHTS)
        mine = self._best(_WEIGHTS) or [name for name in self.squares if self.roles[name] is None]
        if len(mine) != 1:
            found = f"{listing(mine)} may be" if mine else "nothing seems to be"
            raise UserError(
                f"{self.what}: {found} the weights, (n, n); expected weights= one name of what is there: "
                f"{self._there()}"
            )
        return mine[0]

    def _lengths(self, weights: str) -> str | None:
        if self.asked.lengths is not None:
            return self._square(self.asked.lengths, "lengths")
        self._check_readable(_LENGTHS)
        mine = [name for name in self._best(_LENGTHS) if name != weights and len(self.found[name].array) == self._n]
        if len(mine) > 1:
            raise UserError(
                f"{self.what}: {listing(mine)} may be the lengths; expected lengths= one name of what is there: "
                f"{self._there()}"
            )
        return mine[0] if mine else None

    def _labels(self, weights: str) -> str | None:
        asked = self.asked.labels
        if isinstance(asked, str):
            name = self._there_is(asked, "labels")
            if self._table(name).rows is None:
                raise UserError(
                    f'{self.what}: labels="{asked}" has no names; expected one of what is there: {self._there()}'
                )
            return name
        if asked is not None:
            return None
        mine = [name for name in self._best(_LABELS) if self.found[name].error or self.found[name].rows is not None]
        if NODES in mine and len(mine) > 1:
            mine.remove(NODES)
        if len(mine) > 1:
            raise UserError(
                f"{self.what}: {listing(mine)} may be the names of the areas; expected labels= one name of what is "
                f"there: {self._there()}"
            )
        return mine[0] if mine else None

    def _areas(self, labels: str | None, weights: str) -> tuple[str, ...]:
        if labels is not None:
            names = self._table(labels).rows
        elif self.asked.labels is not None:
            names = area_names(self.asked.labels, f"{self.what}: labels")
        else:
            table = self.found[weights]
            names = table.rows or table.columns or tuple(f"a{i:0{len(str(self._n - 1))}d}" for i in range(self._n))
        if names is None or len(names) != self._n:
            raise UserError(
                f"{self.what}: {labels or 'labels'} has {len(names or ())} names, {weights} is "
                f"{self.found[weights].size}; expected a name for each area"
            )
        return names

    def _further(self, group: str, weights: str, lengths: str | None) -> dict[str, str]:
        """Return further matrices: their name -> that in the file."""
        told = {name: name for name, said in self.about.items() if said.get("role") == group and name in self.found}
        known = {
            role: name
            for name, role in self.roles.items()
            if role and _NAMED.get(role) == group and name not in (weights, lengths, *told)
        }
        return {**known, **told}

    def _check_readable(self, role: str) -> None:
        """Raise the error of what seems to be something, and can't be read."""
        for name, table in self.found.items():
            if table.error is not None and self.roles[name] == role:
                raise table.error

    def _best(self, role: str) -> list[str]:
        """Return the tables that seem to be something: by a whole name, else by a word in it."""
        among: Mapping[str, Table] = self.found if role == _LABELS else self.squares
        mine = [name for name in among if self.roles[name] == role]
        return [name for name in mine if _plain(_last(name)) in _KNOWN[role]] or mine

    # What is in it.

    def _table(self, name: str) -> Table:
        table = self.found[name]
        if table.error is not None:
            raise table.error
        return table

    def _matrix(self, name: str) -> np.ndarray:
        table, what = self._table(name), f"{self.what}: {name}"
        if np.shape(table.array) != (self._n, self._n):
            raise UserError(
                f"{what} has shape {np.shape(table.array)}; expected {(self._n, self._n)}, for the {self._n} areas"
            )
        sides = [table.rows, table.columns] if table.rows and table.columns else []
        return taken(array(table.array, what), [list(side) for side in sides], self.areas, what)

    def _columns(self, labels: str | None) -> dict[str, Any]:
        """Return what the table of names says of each area."""
        table = self.found[labels] if labels is not None else Table()
        if table.array is None or np.ndim(table.array) != 2:
            return {}
        if table.columns is None:
            # As The Virtual Brain writes centres: a name, and a place.
            return dict(zip(PLACES, np.asarray(table.array).T)) if np.shape(table.array)[1] == len(PLACES) else {}
        found = dict(zip(table.columns, np.asarray(table.array).T))
        raw = next((name for name in found if _plain(name) in _KNOWN[_RAW]), None)
        return {(_HIERARCHY if n == raw else n): (_relative(v) if n == raw else v) for n, v in found.items()}

    def _values(self) -> dict[str, Any]:
        vectors = self._vectors()
        chosen = dict(self.asked.values)
        for name in vectors:
            if self.roles.get(name) in (_HIERARCHY, _RAW) and name not in chosen.values():
                chosen[_HIERARCHY] = name
        found = {}
        for name, there in chosen.items():
            mine = [known for known in vectors if there in (known, _last(known))]
            if len(mine) != 1:
                text = f'{self.what}: there are no values "{there}" of {self._n} areas'
                raise UserError(unknown(text, there, vectors, "There are"))
            numbers, names = vectors[mine[0]]
            what = f"{self.what}: {there}"
            values = taken(array(numbers, what).ravel(), [names and list(names)], self.areas, what)
            found[name] = _relative(values) if self.roles.get(mine[0]) == _RAW else values
        return found

    def _vectors(self) -> dict[str, tuple[Any, Any]]:
        """Return all that has a number for each area, with the areas' names if they stand beside it."""
        found: dict[str, tuple[Any, Any]] = {}
        for name, table in self.found.items():
            shape = np.shape(table.array)
            if table.error or table.array is None:
                # Asked for, or known, it is refused with what is wrong.
                if table.error and (self.roles[name] in (_HIERARCHY, _RAW) or name in self.asked.values.values()):
                    raise table.error
            elif shape in ((self._n,), (self._n, 1), (1, self._n)):
                found[name] = table.array, table.rows
            elif len(shape) == 2 and shape[0] == self._n and table.columns:
                found |= {f"{name}/{column}": (table.array[:, i], table.rows) for i, column in enumerate(table.columns)}
            elif self.roles[name] in (_HIERARCHY, _RAW):
                text = f"{self.what}: {name} has shape {shape}; expected {(self._n,)}, for the {self._n} areas"
                raise UserError(text)
        return found

    # Names.

    def _there_is(self, name: str, role: str) -> str:
        """Return the whole name of a table: its last part is enough where it is the only one."""
        mine = [known for known in self.found if name == known] or [k for k in self.found if name == _last(k)]
        if len(mine) != 1:
            raise UserError(unknown(f'{self.what}: {role}="{name}" is not there', name, self.found, "There are"))
        return mine[0]

    def _square(self, asked: str, role: str) -> str:
        name = self._there_is(asked, role)
        if not _is_square(self._table(name), named=True):
            raise UserError(
                f'{self.what}: {role}="{asked}" is {self.found[name].size}; expected a square matrix, one of what is '
                f"there: {self._there()}"
            )
        return name

    def _there(self) -> str:
        return listing(f"{name} ({table.size})" for name, table in self.found.items())


def _is_square(table: Table, named: bool) -> bool:
    shape = np.shape(table.array)
    # MATLAB's single numbers are 1 x 1.
    return len(shape) == 2 and shape[0] == shape[1] and shape[0] > (0 if named else 1)


def _relative(raw: np.ndarray) -> np.ndarray:
    """Return a raw hierarchy divided by its largest value."""
    top = raw.max(initial=0.0)
    return raw / top if top > 0 else raw


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _last(name: str) -> str:
    return re.split(r"[/.]", name)[-1]


def _role(name: str) -> str | None:
    """Return what a table of this name seems to be."""
    for role, names in _KNOWN.items():
        if _plain(_last(name)) in names:
            return role
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
    return next((role for role, known in _WORDS.items() if words & known), None)
