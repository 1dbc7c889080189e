"""Connectomes: which area projects to which, how strongly, and each area's position in the hierarchy."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gbaexplore.basics.errors import UserError, did_you_mean, printable, shown, unknown
from gbaexplore.basics.numbers import number
from gbaexplore.basics.places import local, shipped_folder
from gbaexplore.networks import files, tables
from gbaexplore.networks.anatomy import Anatomy, area_names
from gbaexplore.networks.tables import aligned

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


DATA = shipped_folder("data")

_MATRICES = {
    "fln": "fraction of labelled neurons",
    "sln": "fraction of supragranular labelled neurons",
    "wiring_mm": "wiring distance",
    "fln_inhibitory": "fraction of labelled neurons, onto inhibitory populations",
}
_MOST = {"hierarchy": 1.0, "sln": 1.0}


@dataclass(frozen=True, eq=False)
class Connectome:
    """Anatomy of a set of areas, labelled by area name; immutable: every variant is a new object.

    Two connectomes with equal content (see `content_hash`) are equal, whatever their names.

    Matrices may be arrays of any library, sparse or dense, tables or DataArrays. A side with labels is put in the order
    of `areas`.

    Args:
        name: for messages.
        areas: n different names, in hierarchical order.
        hierarchy: (n,) position of each area, 0 (lowest) to 1 (highest).
        fln: (n, n) fraction of labelled neurons; row = target, column = source.
        sln: (n, n) fraction of supragranular labelled neurons, or None.
        wiring_mm: (n, n) wiring distance in mm, or None.
        fln_inhibitory: (n, n) FLN onto inhibitory populations, or None if it is the same.

    Raises:
        UserError: matrices that are not (n, n), or are labelled with other areas; values that are not finite numbers of
            at least 0; a hierarchy or SLN above 1; repeated areas; areas out of hierarchical order (`from_pandas`,
            `from_networkx` and `load_connectome` sort them).
    """

    name: str
    areas: tuple[str, ...]
    hierarchy: np.ndarray
    fln: np.ndarray
    sln: np.ndarray | None = None
    wiring_mm: np.ndarray | None = None
    fln_inhibitory: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", printable(self.name))
        object.__setattr__(self, "areas", area_names(self.areas, self.name))
        n = len(self.areas)
        for field, shape in {"hierarchy": (n,), **dict.fromkeys(_MATRICES, (n, n))}.items():
            values = getattr(self, field)
            if values is not None or field in ("hierarchy", "fln"):
                object.__setattr__(self, field, _checked(values, shape, f"{self.name}: {field}", self.areas))
        _check_order(self.name, self.areas, self.hierarchy)
        _warn_of_self_connections(self.fln)

    @classmethod
    def from_pandas(
        cls,
        fln: pd.DataFrame,
        hierarchy: pd.Series | Mapping[str, float],
        name: str = "table",
        sln: pd.DataFrame | None = None,
        wiring_mm: pd.DataFrame | None = None,
        fln_inhibitory: pd.DataFrame | None = None,
    ) -> Connectome:
        """Return the connectome of labelled tables, its areas sorted by hierarchy.

        Args:
            fln: index = target, columns = source; the same areas in both, in any order.
            hierarchy: position of each area, by name; divided by its largest value. It may have more areas.
            name: for messages.
            sln, wiring_mm, fln_inhibitory: tables of the same areas, or None.

        Raises:
            UserError: index and columns with different areas; areas without a hierarchy; as the constructor.
        """
        given = {"fln": fln, "sln": sln, "wiring_mm": wiring_mm, "fln_inhibitory": fln_inhibitory}
        return cls._of(name, tables.of_pandas(given, hierarchy, name))

    @classmethod
    def from_networkx(
        cls,
        graph: Any,
        weight: str = "fln",
        hierarchy: str = "hierarchy",
        sln: str | None = None,
        wiring_mm: str | None = None,
    ) -> Connectome:
        """Return the connectome of a `networkx.DiGraph`, its areas sorted by hierarchy.

        An edge goes from source to target, as the pathway does: `graph.edges[source, target][weight]` becomes
        `fln[target, source]`. So `networkx.to_numpy_array(graph)` is the transpose of FLN. The connectome takes the
        graph's name.

        Args:
            graph: its nodes are the areas' names.
            weight: name of the edges' attribute with the FLN.
            hierarchy: name of the nodes' attribute with the position in the hierarchy; divided by its largest value.
            sln, wiring_mm: names of the edges' attributes with these, or None; 0 where there is no edge.

        Raises:
            UserError: an undirected graph, or one with parallel edges; nodes or edges without the attribute; as the
                constructor.
        """
        name, anatomy = tables.of_networkx(graph, {"fln": weight, "sln": sln, "wiring_mm": wiring_mm}, hierarchy)
        return cls._of(name, anatomy)

    @classmethod
    def _of(cls, name: str, anatomy: Anatomy) -> Connectome:
        areas, hierarchy, matrices = anatomy.ordered()
        return cls(name, areas, hierarchy, **matrices)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of everything that a simulation uses: areas, hierarchy and matrices, as float64."""
        digest = hashlib.sha256("\0".join(self.areas).encode())
        for field in ("hierarchy", *_MATRICES):
            values = getattr(self, field)
            digest.update(field.encode() + (b"-" if values is None else values.astype("<f8").tobytes()))
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connectome) and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        possible = len(self.areas) * (len(self.areas) - 1)
        own = np.count_nonzero(np.diagonal(self.fln))
        others = f", {own} self-connections" if own else ""
        return (
            f"<Connectome {self.name}: {len(self.areas)} areas, "
            f"{np.count_nonzero(self.fln) - own} of {possible} pathways{others}, {self.content_hash[:12]}>"
        )

    def to_dataset(self) -> xr.Dataset:
        """Return a labelled copy: hierarchy (area) and matrices (target, source)."""
        import xarray as xr

        areas = np.array(self.areas, dtype=object)
        found: dict[str, Any] = {"hierarchy": ("area", self.hierarchy.copy(), {"long_name": "hierarchy", "units": "1"})}
        for field, doc in _MATRICES.items():
            values = getattr(self, field)
            if values is not None:
                units = "mm" if field == "wiring_mm" else "1"
                found[field] = (("target", "source"), values.copy(), {"long_name": doc, "units": units})
        return xr.Dataset(found, {"area": areas, "target": areas, "source": areas}, {"name": self.name})

    def to_folder(self, path: str | Path) -> Path:
        """Write the connectome to a folder, from which `load_connectome` reads an equal one; return the folder.

        Raises:
            UserError: the folder has files already, or can't be written to.
        """
        matrices = {field: getattr(self, field) for field in _MATRICES if getattr(self, field) is not None}
        return files.write_folder(local(path), Anatomy(self.areas, self.hierarchy, matrices))

    def index(self, area: str) -> int:
        """Return the position of an area.

        Raises:
            UserError: no such area; the nearest name is suggested.
        """
        if not isinstance(area, str):
            raise UserError(f"{shown(area)} is not the name of an area of {self.name}; expected text")
        if area not in self.areas:
            raise UserError(unknown(f'no area "{area}" in {self.name}', area, self.areas, "Areas"))
        return self.areas.index(area)

    # Variants. The name of each says how it was made, for messages and provenance.

    def without_feedback(self) -> Connectome:
        """Return the connectome with only the pathways up the hierarchy: the lower triangle of FLN."""
        return self._mapped("without feedback", np.tril)

    def symmetrized(self, mean: Literal["arithmetic", "geometric"]) -> Connectome:
        """Return the connectome with FLN replaced by its mean with its transpose: (F + F')/2, or sqrt(F F')."""
        means = {"arithmetic": lambda fln: (fln + fln.T) / 2, "geometric": lambda fln: np.sqrt(fln * fln.T)}
        if not isinstance(mean, str) or mean not in means:
            raise UserError(f'symmetrized({shown(mean)}): expected "arithmetic" or "geometric"')
        return self._mapped(f"{mean} symmetrized", means[mean])

    def thresholded(self, fln: float) -> Connectome:
        """Return the connectome with only the pathways of at least this FLN; weaker ones are set to 0."""
        fln = _at_least_0(fln, "the threshold")
        kept = self.fln >= fln
        return self._mapped(f"FLN >= {fln:g}", lambda matrix: np.where(kept, matrix, 0.0))

    def scaled(self, factor: float, target: str | None = None, source: str | None = None) -> Connectome:
        """Return the connectome with pathways multiplied: all, those into `target`, out of `source`, or the one."""
        factor = _at_least_0(factor, "the factor")
        rows = slice(None) if target is None else self.index(target)
        columns = slice(None) if source is None else self.index(source)
        factors = np.ones(self.fln.shape)
        factors[rows, columns] = factor
        return self._mapped(f"{target or 'all'}<-{source or 'all'} x {factor:g}", lambda matrix: matrix * factors)

    def with_targeted_inhibition(self, factor: float) -> Connectome:
        """Return the connectome with FLN onto inhibition scaled by 1 + factor max(0, h_target - h_source)."""
        factor = _at_least_0(factor, "the factor")
        up = np.maximum(0.0, self.hierarchy[:, None] - self.hierarchy[None, :])
        name = f"{self.name}, inhibition targeted x {factor:g}"
        return replace(self, name=name, fln_inhibitory=(self.fln * (1 + factor * up)))

    def without_pathway(self, target: str, source: str) -> Connectome:
        """Return the connectome without the one pathway target <- source."""
        return replace(self.scaled(0.0, target=target, source=source), name=f"{self.name}, without {target}<-{source}")

    def lesioned(self, area: str, *more: str) -> Connectome:
        """Return the connectome without the pathways into and out of these areas, which stay, unconnected."""
        kept = np.ones(self.fln.shape)
        for lesion in (area, *more):
            kept[self.index(lesion), :] = kept[:, self.index(lesion)] = 0.0
        return self._mapped(f"{', '.join((area, *more))} lesioned", lambda matrix: matrix * kept)

    def without(self, *areas: str) -> Connectome:
        """Return the connectome without these areas; the others keep their hierarchy values."""
        gone = {self.index(area) for area in areas}
        keep = np.array([i for i in range(len(self.areas)) if i not in gone], dtype=int)
        if not keep.size:
            raise UserError(f"{self.name}: without({', '.join(areas)}) leaves no area; keep at least one")
        square = np.ix_(keep, keep)
        whole = {field: getattr(self, field) for field in _MATRICES}
        kept: dict[str, Any] = {field: None if matrix is None else matrix[square] for field, matrix in whole.items()}
        return replace(
            self,
            name=f"{self.name}, without {', '.join(areas)}",
            areas=tuple(self.areas[i] for i in keep),
            hierarchy=self.hierarchy[keep],
            **kept,
        )

    def _mapped(self, what: str, function: Callable[[np.ndarray], np.ndarray]) -> Connectome:
        """Return the connectome with a function applied to FLN onto both populations."""
        inhibitory = None if self.fln_inhibitory is None else function(self.fln_inhibitory)
        return replace(self, name=f"{self.name}, {what}", fln=function(self.fln), fln_inhibitory=inhibitory)


def check_is_connectome(thing: Any) -> None:
    """Raise UserError unless a thing is a Connectome."""
    if not isinstance(thing, Connectome):
        raise UserError(f"{shown(thing)} is not a connectome; expected a Connectome, such as load_connectome returns")


def load_connectome(source: str | Path) -> Connectome:
    """Return a shipped connectome by its name, or one from a folder of CSV tables or a MATLAB file.

    A folder (`Connectome.to_folder` writes one) has `areas.csv` (columns `area` and `hierarchy_raw`, which is divided
    by its largest value, or `hierarchy`, from 0 to 1), `fln.csv` and optionally `sln.csv`, `wiring_mm.csv` and
    `fln_inhibitory.csv`: first row and first column area names, row = target, column = source. If there is a
    `SHA256SUMS`, as `sha256sum` writes it, the files are checked against it.

    A MATLAB file (`.mat`, up to version 7) has the published variables: `flnMat`, (n, n), row = target, column =
    source; `hierVals`, n values, divided by their largest; `areaList`, a cell array of n names; and optionally `slnMat`
    and `wiring`, (n, n), the latter in mm.

    Areas are sorted by hierarchy.

    Raises:
        UserError: no such connectome; files that do not match their checksums; labels or values that do not fit.
    """
    path = local(source)
    if path.suffix.lower() == ".mat":
        return Connectome._of(path.stem, files.read_mat(path))
    shipped = sorted(p.name for p in DATA.iterdir() if p.is_dir())
    if source in shipped:  # a folder of that name here is ./NAME, or a Path
        path = DATA / str(source)
    elif not os.path.isdir(path):
        raise UserError(
            f'no connectome "{source}"{did_you_mean(str(source), shipped)}; expected one of '
            f"{', '.join(shipped)}, a folder with areas.csv and fln.csv, or a .mat file"
        )
    return Connectome._of(path.absolute().name, files.read_folder(path, tuple(_MATRICES)))


def _check_order(name: str, areas: tuple[str, ...], hierarchy: np.ndarray) -> None:
    """Refuse areas out of order: the lower triangle of FLN must be the pathways up the hierarchy."""
    falls = np.flatnonzero(np.diff(hierarchy) < 0)
    if falls.size:
        i = int(falls[0])
        raise UserError(
            f"{name}: areas are not in hierarchical order ({areas[i]} at {hierarchy[i]:g} comes before {areas[i + 1]} "
            f"at {hierarchy[i + 1]:g}); expected rising positions: sort areas, hierarchy and both sides of the matrices"
        )


def _checked(values: Any, shape: tuple[int, ...], what: str, areas: tuple[str, ...]) -> np.ndarray:
    """Return `values` as a read-only float64 array; raise UserError with the first wrong position.

    The array is a copy, unless `values` is read-only itself: variants share matrices.
    """
    fixed = type(values) is np.ndarray and values.dtype == np.float64 and values.flags.owndata
    array = values if fixed and not values.flags.writeable else aligned(values, areas, what)
    if array.shape != shape:
        raise UserError(f"{what} has shape {array.shape}; expected {shape}: one row and column for each area")
    most = _MOST.get(what.rpartition(" ")[2], np.inf)
    bad = ~np.isfinite(array) | (array < 0) | (array > most)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        expected = "finite values >= 0" if most == np.inf else f"values from 0 to {most:g}: divide them by the largest"
        raise UserError(f"{what} is {array[where]:g} at {'<-'.join(areas[i] for i in where)}; expected {expected}")
    array.setflags(write=False)
    return array


def _at_least_0(value: Any, what: str) -> float:
    found = number(value, what)
    if found < 0:
        raise UserError(f"{what} = {found:g}; expected a number of at least 0")
    return found


def _warn_of_self_connections(fln: np.ndarray) -> None:
    if np.diagonal(fln).any():
        warnings.warn(
            "the weight of an area onto itself (the diagonal of fln) acts in addition to its model's local circuit; "
            "if that is not meant, set it to 0: np.fill_diagonal(fln, 0)",
            stacklevel=4,
        )
