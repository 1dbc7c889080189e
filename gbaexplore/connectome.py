"""Area-labelled anatomy: which area projects to which, how strongly, and where each stands in the hierarchy."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gbaexplore.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

# An installed wheel carries data/ inside the package; a checkout has it beside the package.
_PACKAGE = Path(__file__).parent
DATA = _PACKAGE / "data" if (_PACKAGE / "data").is_dir() else _PACKAGE.parent / "data"

_FILES = {
    "fln": "fraction of labelled neurons",
    "sln": "fraction of supragranular labelled neurons",
    "wiring_mm": "wiring distance",
}
_MATRICES = {**_FILES, "fln_inhibitory": "fraction of labelled neurons, onto inhibitory populations"}


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
        UserError: matrices that are not (n, n); negative, NaN or infinite values; repeated areas.
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

    def index(self, area: str) -> int:
        """Return the position of an area.

        Raises:
            UserError: no such area; the nearest name is suggested.
        """
        if area not in self.areas:
            raise UserError(
                f'no area "{area}" in {self.name}{did_you_mean(str(area), self.areas) or ";"} '
                f"Areas: {', '.join(self.areas)}"
            )
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
    """Return a shipped connectome by its name, or one's own from a folder in the same layout.

    The folder holds `areas.csv` (area, hierarchy_raw), `fln.csv` and, if there are any, `sln.csv` and
    `wiring_mm.csv`: first row and first column area names, row = target, column = source. A `SHA256SUMS`
    beside them (as `sha256sum` writes it) is checked. The hierarchy is divided by its largest value.

    Raises:
        UserError: no such connectome, files that do not match their checksum, labels or values that do not fit.
    """
    folder = Path(source)
    if not folder.is_dir():
        shipped = sorted(p.name for p in DATA.iterdir() if p.is_dir())
        folder = DATA / str(source)
        if str(source) not in shipped:
            raise UserError(
                f'no connectome "{source}"{did_you_mean(str(source), shipped)} '
                f"Expected one of {', '.join(shipped)}, or a folder with areas.csv and fln.csv"
            )
    _check_sums(folder)
    areas, raw = _read_areas(folder / "areas.csv")
    top = raw.max(initial=0.0)
    matrices = {
        name: _read_matrix(folder / f"{name}.csv", areas) for name in _FILES if (folder / f"{name}.csv").exists()
    }
    if "fln" not in matrices:
        raise UserError(f"{folder} has no fln.csv; expected the fraction of labelled neurons, row = target")
    return Connectome(name=folder.name, areas=areas, hierarchy=raw / top if top > 0 else raw, **matrices)


def _check_areas(name: str, areas: tuple[str, ...]) -> None:
    if not areas:
        raise UserError(f"{name}: no areas; expected at least one")
    wrong = [area for area in areas if not isinstance(area, str) or not area]
    if wrong:
        raise UserError(f"{name}: area names must be non-empty text, found {wrong[0]!r}")
    repeated = sorted({area for area in areas if areas.count(area) > 1})
    if repeated:
        raise UserError(f"{name}: area {', '.join(repeated)} is there more than once; expected each area once")


def _checked(values: np.ndarray, shape: tuple[int, ...], what: str, areas: tuple[str, ...]) -> np.ndarray:
    """Return a read-only float64 copy of `values`, or say where it is wrong."""
    array = np.array(values, dtype=np.float64)
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


def _check_sums(folder: Path) -> None:
    sums = folder / "SHA256SUMS"
    for line in sums.read_text().splitlines() if sums.exists() else ():
        expected, name = line.split(maxsplit=1)
        path = folder / name.lstrip("*")
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "no such file"
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
    if header[:2] != ["area", "hierarchy_raw"]:
        raise UserError(f"{path} starts with columns {header}; expected area, hierarchy_raw")
    return tuple(row[0] for row in rows), _numbers(path, (row[1:2] for row in rows))[:, 0]


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


def same_areas(connectomes: Mapping[str, Connectome]) -> tuple[str, ...]:
    """Return the areas that all of these have.

    Raises:
        UserError: they differ; one array can only have one list of areas.
    """
    (first, reference), *others = connectomes.items()
    for label, connectome in others:
        if connectome.areas != reference.areas:
            odd = sorted(set(connectome.areas) ^ set(reference.areas)) or ["the order"]
            raise UserError(
                f'connectomes "{first}" and "{label}" differ in their areas ({", ".join(odd[:5])}); expected '
                "the same areas in the same order (scaled(0, ...) silences an area and keeps it)"
            )
    return reference.areas
