"""Area-labelled anatomy: which area projects to which, how strongly, and where each stands in the hierarchy."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gbaexplore.basics.errors import UserError, did_you_mean, listing, unknown
from gbaexplore.basics.places import local, shipped_folder
from gbaexplore.networks import files as layouts
from gbaexplore.networks.files import Anatomy, relative

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


@dataclass(frozen=True, eq=False)
class Connectome:
    """Anatomy of a set of areas, labelled by area name; immutable: every variant is a new object.

    Two connectomes are equal when their content is (see `content_hash`), whatever their name.

    Args:
        name: what to call it in messages.
        areas: names of the areas, in hierarchical order; n of them, all different.
        hierarchy: (n,) position of each area, 0 (lowest) to 1 (highest).
        fln: (n, n) fraction of labelled neurons; row = target, column = source.
        sln: (n, n) fraction of supragranular labelled neurons, or None.
        wiring_mm: (n, n) wiring distance in mm, or None.
        fln_inhibitory: (n, n) FLN onto inhibitory populations, where it is not the same; else None.

    Raises:
        UserError: matrices that are not (n, n); negative, NaN or infinite values; repeated areas; areas that are not
            in hierarchical order (`from_pandas`, `from_networkx` and `load_connectome` put them in it).
    """

    name: str
    areas: tuple[str, ...]
    hierarchy: np.ndarray
    fln: np.ndarray
    sln: np.ndarray | None = None
    wiring_mm: np.ndarray | None = None
    fln_inhibitory: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "areas", tuple(self.areas))
        _check_areas(self.name, self.areas)
        n = len(self.areas)
        for field, shape in {"hierarchy": (n,), **dict.fromkeys(_MATRICES, (n, n))}.items():
            values = getattr(self, field)
            if values is not None:
                object.__setattr__(self, field, _checked(values, shape, f"{self.name}: {field}", self.areas))
        _check_order(self.name, self.areas, self.hierarchy)

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
        """Return the connectome that labelled tables hold, its areas put in hierarchical order.

        Args:
            fln: index = target, columns = source: the same areas in both, in any order.
            hierarchy: position of each area, by its name; divided by its largest value. It may have more areas.
            name: what to call it in messages.
            sln, wiring_mm, fln_inhibitory: tables of the same areas, if there are any.

        Raises:
            UserError: areas that are not in both index and columns, or have no hierarchy; as the constructor.
        """
        tables = {"fln": fln, "sln": sln, "wiring_mm": wiring_mm, "fln_inhibitory": fln_inhibitory}
        areas = tuple(fln.index)
        _check_areas(name, areas)
        matrices = {field: _square(t, areas, f"{name}: {field}") for field, t in tables.items() if t is not None}
        return _ordered(name, Anatomy(areas, _positions(hierarchy, areas, name), matrices))

    @classmethod
    def from_networkx(
        cls,
        graph: Any,
        weight: str = "fln",
        hierarchy: str = "hierarchy",
        sln: str | None = None,
        wiring_mm: str | None = None,
    ) -> Connectome:
        """Return the connectome that a `networkx.DiGraph` holds, its areas put in hierarchical order.

        An edge goes from source to target, as the pathway does: `graph.edges[source, target][weight]` becomes
        `fln[target, source]`. So `networkx.to_numpy_array(graph)` is the transpose of FLN. The connectome takes the
        graph's name.

        Args:
            graph: its nodes are the areas' names.
            weight: the edges' attribute that is the FLN.
            hierarchy: the nodes' attribute that is the position in the hierarchy; divided by its largest value.
            sln, wiring_mm: the edges' attributes that are these, if there are any; 0 where there is no edge.

        Raises:
            UserError: a graph that is undirected or has parallel edges, nodes or edges without the attribute; as the
                constructor.
        """
        if not graph.is_directed() or graph.is_multigraph():
            raise UserError(
                f"found a {type(graph).__name__}; expected a networkx.DiGraph, with an edge from source to target "
                "for each pathway (graph.to_directed() makes one of an undirected graph, pathways both ways)"
            )
        name, areas = str(graph.name or "graph"), tuple(graph)
        _check_areas(name, areas)
        levels = {area: _attribute(node, hierarchy, f"node {area}") for area, node in graph.nodes(data=True)}
        at = {area: i for i, area in enumerate(areas)}
        matrices = {}
        for field, attribute in {"fln": weight, "sln": sln, "wiring_mm": wiring_mm}.items():
            if attribute is not None:
                matrices[field] = np.zeros((len(areas), len(areas)))
                for source, target, edge in graph.edges(data=True):
                    value = _attribute(edge, attribute, f"edge {source} -> {target}")
                    matrices[field][at[target], at[source]] = value
        return _ordered(name, Anatomy(areas, _positions(levels, areas, name), matrices))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of everything a simulation can see: areas, hierarchy and matrices, as float64."""
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
        return (
            f"<Connectome {self.name}: {len(self.areas)} areas, "
            f"{np.count_nonzero(self.fln)} of {possible} pathways, {self.content_hash[:12]}>"
        )

    def to_dataset(self) -> xr.Dataset:
        """Return a labelled copy: hierarchy (area) and the matrices (target, source)."""
        import xarray as xr

        areas = np.array(self.areas, dtype=object)
        ds = xr.Dataset(coords={"area": areas, "target": areas, "source": areas}, attrs={"name": self.name})
        ds["hierarchy"] = ("area", self.hierarchy.copy(), {"long_name": "hierarchy", "units": "1"})
        for field, doc in _MATRICES.items():
            values = getattr(self, field)
            if values is not None:
                units = "mm" if field == "wiring_mm" else "1"
                ds[field] = (("target", "source"), values.copy(), {"long_name": doc, "units": units})
        return ds

    def to_folder(self, path: str | Path) -> Path:
        """Write the connectome as a folder that `load_connectome` reads back equal; return the folder.

        Raises:
            UserError: the folder has files already, or can't be written to.
        """
        matrices = {field: getattr(self, field) for field in _MATRICES if getattr(self, field) is not None}
        return layouts.write_folder(local(path), Anatomy(self.areas, self.hierarchy, matrices))

    def index(self, area: str) -> int:
        """Return the position of an area.

        Raises:
            UserError: no such area; the nearest name is suggested.
        """
        if area not in self.areas:
            raise UserError(unknown(f'no area "{area}" in {self.name}', area, self.areas, "Areas"))
        return self.areas.index(area)

    # Variants. Each says in its name what was done, so that messages and provenance read well.

    def without_feedback(self) -> Connectome:
        """Return only the pathways that go up the hierarchy: the lower triangle of FLN (areas are in order)."""
        return self._mapped("without feedback", np.tril)

    def symmetrized(self, mean: Literal["arithmetic", "geometric"]) -> Connectome:
        """Return FLN replaced by its mean with its transpose: (F + F')/2, or elementwise sqrt(F F')."""
        means = {"arithmetic": lambda fln: (fln + fln.T) / 2, "geometric": lambda fln: np.sqrt(fln * fln.T)}
        if mean not in means:
            raise UserError(f'symmetrized("{mean}"): expected "arithmetic" or "geometric"')
        return self._mapped(f"{mean} symmetrized", means[mean])

    def thresholded(self, fln: float) -> Connectome:
        """Return only the pathways of at least this FLN; weaker ones are set to 0."""
        if not np.isfinite(fln) or fln < 0:
            raise UserError(f"thresholded({fln}): expected a finite threshold of at least 0")
        kept = self.fln >= fln
        return self._mapped(f"FLN >= {fln:g}", lambda matrix: np.where(kept, matrix, 0.0))

    def scaled(self, factor: float, target: str | None = None, source: str | None = None) -> Connectome:
        """Return pathways multiplied by `factor`: all, those into `target`, out of `source`, or the one pathway."""
        if not np.isfinite(factor) or factor < 0:
            raise UserError(f"scaled({factor}): expected a finite factor of at least 0")
        rows = slice(None) if target is None else self.index(target)
        columns = slice(None) if source is None else self.index(source)
        factors = np.ones(self.fln.shape)
        factors[rows, columns] = factor
        return self._mapped(f"{target or 'all'}<-{source or 'all'} x {factor:g}", lambda matrix: matrix * factors)

    def with_targeted_inhibition(self, factor: float) -> Connectome:
        """Return pathways onto inhibition scaled by 1 + factor max(0, h_target - h_source): more of it going up."""
        if not np.isfinite(factor) or factor < 0:
            raise UserError(f"with_targeted_inhibition({factor}): expected a finite factor of at least 0")
        up = np.maximum(0.0, self.hierarchy[:, None] - self.hierarchy[None, :])
        name = f"{self.name}, inhibition targeted x {factor:g}"
        return replace(self, name=name, fln_inhibitory=(self.fln * (1 + factor * up)))

    def without_pathway(self, target: str, source: str) -> Connectome:
        """Return the connectome without the one pathway target <- source."""
        return replace(self.scaled(0.0, target=target, source=source), name=f"{self.name}, without {target}<-{source}")

    def lesioned(self, area: str, *more: str) -> Connectome:
        """Return the connectome without any pathway into these areas or out of them; they stay, as silent islands."""
        kept = np.ones(self.fln.shape)
        for lesion in (area, *more):
            kept[self.index(lesion), :] = kept[:, self.index(lesion)] = 0.0
        return self._mapped(f"{', '.join((area, *more))} lesioned", lambda matrix: matrix * kept)

    def without(self, *areas: str) -> Connectome:
        """Return the connectome with areas taken out; the others keep their hierarchy values."""
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
        """Return the connectome with a function applied to FLN, onto both populations."""
        inhibitory = None if self.fln_inhibitory is None else function(self.fln_inhibitory)
        return replace(self, name=f"{self.name}, {what}", fln=function(self.fln), fln_inhibitory=inhibitory)


def load_connectome(source: str | Path) -> Connectome:
    """Return a shipped connectome by its name, or one's own from a folder of CSV tables or a MATLAB file.

    The folder (`Connectome.to_folder` writes one) holds `areas.csv` (area, and `hierarchy_raw`, which is divided by its
    largest value, or `hierarchy`, which is taken as it is), `fln.csv` and, if there are any, `sln.csv`, `wiring_mm.csv`
    and `fln_inhibitory.csv`: first row and first column area names, row = target, column = source. A `SHA256SUMS`
    beside them (as `sha256sum` writes it) is checked.

    The MATLAB file (`.mat`, up to version 7) has the published variables: `flnMat`, (n, n), row = target, column =
    source; `hierVals`, n values, divided by their largest; `areaList`, a cell array of n names; and, if there are any,
    `slnMat` and `wiring`, (n, n), the latter in mm.

    Areas that are not in hierarchical order are put in it.

    Raises:
        UserError: no such connectome, files that do not match their checksum, labels or values that do not fit.
    """
    path = local(source)
    if path.suffix.lower() == ".mat":
        return _ordered(path.stem, layouts.read_mat(path))
    if not path.is_dir():
        shipped = sorted(p.name for p in DATA.iterdir() if p.is_dir())
        path = DATA / str(source)
        if str(source) not in shipped:
            raise UserError(
                f'no connectome "{source}"{did_you_mean(str(source), shipped)} Expected one of '
                f"{', '.join(shipped)}, a folder with areas.csv and fln.csv, or a .mat file"
            )
    return _ordered(path.name, layouts.read_folder(path, tuple(_MATRICES)))


def _ordered(name: str, anatomy: Anatomy) -> Connectome:
    """Return the connectome of labelled parts, in hierarchical order; areas at the same place keep theirs."""
    areas, hierarchy, matrices = anatomy
    n = len(areas)
    if hierarchy.shape == (n,) and all(matrix.shape == (n, n) for matrix in matrices.values()):
        order = np.argsort(hierarchy, kind="stable")
        areas, hierarchy = tuple(areas[i] for i in order), hierarchy[order]
        matrices = {field: matrix[np.ix_(order, order)] for field, matrix in matrices.items()}
    return Connectome(name, areas, hierarchy, **matrices)  # which says what does not fit


def _positions(hierarchy: Mapping[str, float] | pd.Series, areas: tuple[str, ...], name: str) -> np.ndarray:
    if not hasattr(hierarchy, "keys"):
        raise UserError(
            f"{name}: hierarchy is {type(hierarchy).__name__}; expected a Series or a mapping, from area to position"
        )
    lacking = [area for area in areas if area not in hierarchy]
    if lacking:
        raise UserError(f"{name}: hierarchy has no {listing(lacking)}; expected the position of each area")
    return relative(_float64([hierarchy[area] for area in areas], f"{name}: hierarchy"))


def _square(table: pd.DataFrame, areas: tuple[str, ...], what: str) -> np.ndarray:
    """Return a table's values in an order of areas, which must be its rows and its columns."""
    for side, labels in {"rows (targets)": table.index, "columns (sources)": table.columns}.items():
        if set(labels) != set(areas) or len(labels) != len(areas):
            odd = sorted(map(str, set(labels) ^ set(areas))) or ["some area twice"]
            raise UserError(
                f"{what}: {side} are not the {len(areas)} areas of fln's rows ({listing(odd, 5)}); expected the same "
                "areas on both sides: choose them with table.loc[areas, areas]"
            )
    return _float64(table.loc[list(areas), list(areas)].to_numpy(), what)


def _attribute(attributes: Mapping[str, Any], name: str, of: str) -> Any:
    if name not in attributes:
        raise UserError(f'{of} has no "{name}"; expected this attribute in each (it has {listing(attributes)})')
    return attributes[name]


def _check_areas(name: str, areas: tuple[str, ...]) -> None:
    if not areas:
        raise UserError(f"{name}: no areas; expected at least one")
    wrong = [area for area in areas if not isinstance(area, str) or not area or area != area.strip()]
    if wrong:
        raise UserError(f"{name}: area names must be non-empty text, without blanks around it; found {wrong[0]!r}")
    repeated = sorted(area for area, count in Counter(areas).items() if count > 1)
    if repeated:
        raise UserError(f"{name}: area {listing(repeated)} is there more than once; expected each area once")


def _check_order(name: str, areas: tuple[str, ...], hierarchy: np.ndarray) -> None:
    """Refuse areas out of order: what goes up the hierarchy is the lower triangle of FLN."""
    falls = np.flatnonzero(np.diff(hierarchy) < 0)
    if falls.size:
        i = int(falls[0])
        raise UserError(
            f"{name}: areas are not in hierarchical order ({areas[i]} at {hierarchy[i]:g} comes before {areas[i + 1]} "
            f"at {hierarchy[i + 1]:g}); expected rising positions: sort areas, hierarchy and both sides of the matrices"
        )


def _checked(values: np.ndarray, shape: tuple[int, ...], what: str, areas: tuple[str, ...]) -> np.ndarray:
    """Return `values` as a read-only float64 array of the connectome's own, or say where it is wrong."""
    array = _float64(values, what)
    if array.shape != shape:
        raise UserError(f"{what} has shape {array.shape}; expected {shape}: one row and column for each area")
    bad = ~np.isfinite(array) | (array < 0)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise UserError(
            f"{what} is {array[where]:g} at {'<-'.join(areas[i] for i in where)}; expected finite values >= 0"
        )
    array.setflags(write=False)
    return array


def _float64(values: Any, what: str) -> np.ndarray:
    """Return a copy of values as float64; of what can't be changed, itself, so that variants share what they can."""
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and values.flags.owndata:
        return values.copy() if values.flags.writeable else values
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{what} has values that are not numbers, or rows that differ in length") from None
