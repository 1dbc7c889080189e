"""Connectomes: which area projects to which, how strongly, over which distance, and what is known of each area."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from gbaexplore.basics.errors import UserError, printable, shown, unknown
from gbaexplore.basics.places import local
from gbaexplore.networks import folders, tables
from gbaexplore.networks.anatomy import Named, area_names
from gbaexplore.networks.checks import (
    HIERARCHY,
    about_of,
    at_least_0,
    attribute_names,
    bounds_of,
    by_name,
    check_names,
    checked,
)
from gbaexplore.networks.datasets import OWN, ROLE, dataset_of, parts_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


INHIBITORY = "inhibitory"
"""Further weights of this name are those onto inhibitory populations."""

Mean = Literal["arithmetic", "geometric"]
Norm = Literal["max", "strength", "largest strength", "spectral radius"]


@dataclass(frozen=True, eq=False, repr=False)
class Connectome:
    """Areas, in any order, and the pathways between them; immutable: every variant is a new object.

    In every matrix **row = target, column = source**: `weights @ rates` is what each area receives.

    Two connectomes with equal content (see `content_hash`) are equal, whatever their names.

    Arrays may be of any library, sparse or dense, tables or DataArrays. A side with labels is put in the order of
    `areas`. Values of areas may be mappings by area, which may have more areas.

    Args:
        name: for messages.
        areas: n different names.
        weights: (n, n) strength of each pathway, in any unit; 0 where there is none. Some models take negative ones.
        lengths_mm: (n, n) length of each pathway, mm, or None; at least 0.
        values: name -> (n,), any number of values of areas, such as myelin or receptor densities. A name becomes a
            coordinate of results. "hierarchy" is the position of each area, 0 (lowest) to 1 (highest).
        further_weights: name -> (n, n), weights onto other populations, such as "inhibitory": variants change them
            as they change `weights`.
        pathway_values: name -> (n, n), what else is known of pathways: variants leave it as it is.
        positions_mm: (n, 3) place of each area, mm, or None.
        about: name of any of these -> {"long_name": ..., "units": ...}, for labels of figures and tables.

    Raises:
        UserError: arrays of another shape, or labelled with other areas; values that are not finite numbers; a
            hierarchy outside 0 to 1; repeated areas; one name for two things.
    """

    name: str
    areas: tuple[str, ...]
    weights: np.ndarray
    lengths_mm: np.ndarray | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    further_weights: Mapping[str, Any] = field(default_factory=dict)
    pathway_values: Mapping[str, Any] = field(default_factory=dict)
    positions_mm: np.ndarray | None = None
    about: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made: dict[str, Any] = {"name": printable(self.name)}
        areas = made["areas"] = area_names(self.areas, self.name)
        n, at = len(areas), f"{printable(self.name)}: "
        made["weights"] = checked(self.weights, (n, n), f"{at}weights", areas)
        for own, shape in (("lengths_mm", (n, n)), ("positions_mm", (n, 3))):
            given = getattr(self, own)
            least = 0.0 if own == "lengths_mm" else -np.inf
            made[own] = None if given is None else checked(given, shape, f"{at}{own}", areas, least)
        for group in ("values", "further_weights", "pathway_values"):
            own_shape = (n,) if group == "values" else (n, n)
            arrays = {
                name: checked(given, own_shape, f'{at}{group}["{name}"]', areas, *bounds_of(name))
                for name, given in by_name(getattr(self, group), f"{at}{group}").items()
            }
            made[group] = Named(group, arrays)
        known = [*OWN, *made["values"], *made["further_weights"], *made["pathway_values"]]
        check_names(known, at)
        made["about"] = about_of(self.about, known, at)
        for own, value in made.items():
            object.__setattr__(self, own, value)

    @classmethod
    def from_pandas(cls, weights: pd.DataFrame, name: str = "table", **parts: Any) -> Connectome:
        """Return the connectome of labelled tables; if there is a hierarchy, its areas are sorted by it.

        Args:
            weights: index = target, columns = source; the same areas in both, in any order.
            name: for messages.
            parts: all others that `Connectome` has, such as `lengths_mm` (a table of the same areas) and `values` (name
                -> Series or mapping, which may have more areas).

        Raises:
            UserError: index and columns with different areas; areas without a value; as the constructor.
        """
        areas = tables.areas_of(weights, name)
        return cls(name, areas, weights, **parts)._sorted()

    @classmethod
    def from_networkx(
        cls,
        graph: Any,
        weights: str = "weight",
        lengths_mm: str | None = None,
        values: Sequence[str] = (),
        further_weights: Sequence[str] = (),
        pathway_values: Sequence[str] = (),
    ) -> Connectome:
        """Return the connectome of a `networkx.DiGraph`; if there is a hierarchy, its areas are sorted by it.

        An edge goes from source to target, as the pathway does: `graph.edges[source, target]["weight"]` becomes
        `weights[target, source]`. So `networkx.to_numpy_array(graph)` is the transpose of the weights. The connectome
        takes the graph's name.

        Args:
            graph: its nodes are the areas' names.
            weights: name of the edges' attribute with the weights.
            lengths_mm: name of the edges' attribute with the lengths, or None; 0 where there is no edge.
            values: names of attributes of nodes.
            further_weights, pathway_values: names of other attributes of edges.

        Raises:
            UserError: an undirected graph, or one with parallel edges; nodes or edges without the attribute; as the
                constructor.
        """
        found = tables.Graph(graph)
        return cls(
            found.name,
            found.areas,
            found.matrix(weights),
            None if lengths_mm is None else found.matrix(lengths_mm),
            {name: found.values(name) for name in attribute_names(values, "values")},
            {name: found.matrix(name) for name in attribute_names(further_weights, "further_weights")},
            {name: found.matrix(name) for name in attribute_names(pathway_values, "pathway_values")},
        )._sorted()

    @classmethod
    def from_dataset(cls, ds: xr.Dataset) -> Connectome:
        """Return the connectome of what `to_dataset` returns.

        Raises:
            UserError: as the constructor.
        """
        return cls(**parts_of(ds))

    def _sorted(self) -> Connectome:
        return self.sorted_by(HIERARCHY) if HIERARCHY in self.values else self

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of everything but names and metadata: areas and arrays, as float64."""
        digest = hashlib.sha256("\0".join(self.areas).encode())
        # These names, their order and the "-" are those in stores, which must not change.
        first = {
            "hierarchy": self.values.get(HIERARCHY),
            "fln": self.weights,
            "sln": self.pathway_values.get("sln"),
            "wiring_mm": self.lengths_mm,
            "fln_inhibitory": self.further_weights.get(INHIBITORY),
        }
        others = {"values": {HIERARCHY}, "further_weights": {INHIBITORY}, "pathway_values": {"sln"}}
        for group, there in others.items():
            arrays = cast(Mapping[str, np.ndarray], getattr(self, group))
            first |= {f"\0{group}\0{name}\0": arrays[name] for name in sorted(arrays) if name not in there}
        if self.positions_mm is not None:
            first["\0positions\0"] = self.positions_mm
        for tag, array in first.items():
            digest.update(tag.encode() + (b"-" if array is None else array.astype("<f8").tobytes()))
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connectome) and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        possible = len(self.areas) * (len(self.areas) - 1)
        own = np.count_nonzero(np.diagonal(self.weights))
        others = f", {own} self-connections" if own else ""
        return (
            f"<Connectome {self.name}: {len(self.areas)} areas, "
            f"{np.count_nonzero(self.weights) - own} of {possible} pathways{others}, {self.content_hash[:12]}>"
        )

    @property
    def strength(self) -> np.ndarray:
        """(n,) sum of the weights of all pathways into each area."""
        return self.weights.sum(axis=1)

    def attributes(self, name: str) -> dict[str, str]:
        """Return what is said of weights, lengths or anything that has a name: `long_name`, and `units` if known."""
        return {"long_name": name, **({"units": "mm"} if name.endswith("_mm") else {}), **self.about.get(name, {})}

    def to_dataset(self) -> xr.Dataset:
        """Return a labelled copy: values (area), matrices (target, source), positions (area, axis)."""
        return dataset_of(self.name, self.areas, vars(self), self.attributes)

    def to_folder(self, path: str | Path) -> Path:
        """Write the connectome to a folder, from which `load_connectome` reads an equal one; return the folder.

        Raises:
            UserError: the folder has files already, or can't be written to.
        """
        own = {"weights": self.weights, "lengths_mm": self.lengths_mm}
        matrices = {name: array for name, array in own.items() if array is not None}
        columns = dict(self.values)
        if self.positions_mm is not None:
            columns |= dict(zip(folders.PLACES, self.positions_mm.T))
        about = {name: dict(said) for name, said in self.about.items()}
        for role in ("further_weights", "pathway_values"):
            for name, array in getattr(self, role).items():
                matrices[name] = array
                about[name] = {**about.get(name, {}), ROLE: role}
        return folders.write(local(path), self.areas, columns, matrices, about)

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

    def hierarchy(self, what: str) -> np.ndarray:
        """Return the position of each area, (n,), for what needs it.

        Raises:
            UserError: there is none.
        """
        if HIERARCHY not in self.values:
            raise UserError(
                f"{self.name} has no hierarchy, which {what} needs; expected "
                'Connectome(..., values={"hierarchy": (n,) positions from 0 to 1})'
            )
        return self.values[HIERARCHY]

    # Variants. The name of each says how it was made, for messages and provenance.

    def without_feedback(self) -> Connectome:
        """Return the connectome with only the pathways up the hierarchy.

        Pathways between areas at one position are kept where the target comes later in the order of the areas.
        """
        order = np.argsort(self.hierarchy("without_feedback()"), kind="stable")
        rank = np.empty(len(order), int)
        rank[order] = np.arange(len(order))
        up = rank[:, None] >= rank[None, :]
        return self._mapped("without feedback", lambda matrix: np.where(up, matrix, 0.0))

    def without_self_connections(self) -> Connectome:
        """Return the connectome without the weights of areas onto themselves: the diagonal is 0."""
        others = ~np.eye(len(self.areas), dtype=bool)
        return self._mapped("without self-connections", lambda matrix: np.where(others, matrix, 0.0))

    def symmetrized(self, mean: Mean) -> Connectome:
        """Return the connectome with weights replaced by their mean with their transpose: (W + W')/2, or sqrt(W W')."""
        means = {"arithmetic": lambda w: (w + w.T) / 2, "geometric": lambda w: np.sqrt(w * w.T)}
        if not isinstance(mean, str) or mean not in means:
            raise UserError(f'symmetrized({shown(mean)}): expected "arithmetic" or "geometric"')
        if mean == "geometric" and self.has_negative_weights:
            raise UserError(f'{self.name} has negative weights, which have no geometric mean; expected "arithmetic"')
        return self._mapped(f"{mean} symmetrized", means[mean])

    def thresholded(self, weight: float) -> Connectome:
        """Return the connectome with only the pathways of at least this weight, of either sign; others are set to 0."""
        weight = at_least_0(weight, "the threshold")
        kept = np.abs(self.weights) >= weight
        return self._mapped(f"weight >= {weight:g}", lambda matrix: np.where(kept, matrix, 0.0))

    def normalized(self, by: Norm) -> Connectome:
        """Return the connectome with weights divided, further weights by the same numbers.

        | `by` | divided by | so that |
        |---|---|---|
        | `"max"` | the largest weight | the strongest pathway is 1 |
        | `"strength"` | each row by its sum | each area receives 1 in all |
        | `"largest strength"` | the largest sum of a row | the area that receives most receives 1 in all |
        | `"spectral radius"` | the largest absolute eigenvalue | a linear network is stable for couplings below 1 |

        Weights count without their sign. An area that receives nothing stays as it is.

        Raises:
            UserError: another `by`; there is nothing to divide by.
        """
        size = np.abs(self.weights)
        divisors: dict[str, Callable[[], Any]] = {
            "max": size.max,
            "strength": lambda: np.where(size.any(axis=1), size.sum(axis=1), 1.0)[:, None],
            "largest strength": lambda: size.sum(axis=1).max(),
            "spectral radius": lambda: np.abs(np.linalg.eigvals(self.weights)).max(),
        }
        if not isinstance(by, str) or by not in divisors:
            known = ", ".join(f'"{name}"' for name in divisors)
            raise UserError(f"normalized(by={shown(by)}): expected one of {known}")
        divisor = divisors[by]()
        if not np.all(divisor > 0):
            raise UserError(f"{self.name} can't be normalized: its {by} is 0; expected pathways that have one")
        return self._mapped(f"normalized by {by}", lambda matrix: matrix / divisor)

    def scaled(self, factor: float, target: str | None = None, source: str | None = None) -> Connectome:
        """Return the connectome with pathways multiplied: all, those into `target`, out of `source`, or the one."""
        factor = at_least_0(factor, "the factor")
        rows = slice(None) if target is None else self.index(target)
        columns = slice(None) if source is None else self.index(source)
        factors = np.ones(self.weights.shape)
        factors[rows, columns] = factor
        return self._mapped(f"{target or 'all'}<-{source or 'all'} x {factor:g}", lambda matrix: matrix * factors)

    def with_targeted_inhibition(self, factor: float) -> Connectome:
        """Return the connectome with weights onto inhibition scaled by 1 + factor max(0, h_target - h_source)."""
        factor = at_least_0(factor, "the factor")
        levels = self.hierarchy("with_targeted_inhibition()")
        up = np.maximum(0.0, levels[:, None] - levels[None, :])
        name = f"{self.name}, inhibition targeted x {factor:g}"
        further = {**self.further_weights, INHIBITORY: self.weights * (1 + factor * up)}
        return replace(self, name=name, further_weights=further)

    def without_pathway(self, target: str, source: str) -> Connectome:
        """Return the connectome without the one pathway target <- source."""
        return replace(self.scaled(0.0, target=target, source=source), name=f"{self.name}, without {target}<-{source}")

    def lesioned(self, area: str, *more: str) -> Connectome:
        """Return the connectome without the pathways into and out of these areas, which stay, unconnected."""
        kept = np.ones(self.weights.shape)
        for lesion in (area, *more):
            kept[self.index(lesion), :] = kept[:, self.index(lesion)] = 0.0
        return self._mapped(f"{', '.join((area, *more))} lesioned", lambda matrix: matrix * kept)

    def without(self, *areas: str) -> Connectome:
        """Return the connectome without these areas; the others keep their values."""
        gone = {self.index(area) for area in areas}
        keep = [i for i in range(len(self.areas)) if i not in gone]
        if not keep:
            raise UserError(f"{self.name}: without({', '.join(areas)}) leaves no area; keep at least one")
        return self._taken(f"without {', '.join(areas)}", keep)

    def transposed(self) -> Connectome:
        """Return the connectome with all pathways turned round: for a file whose rows are sources."""
        return replace(
            self._mapped("transposed", lambda matrix: matrix.T),
            lengths_mm=None if self.lengths_mm is None else self.lengths_mm.T,
            pathway_values={name: matrix.T for name, matrix in self.pathway_values.items()},
        )

    def sorted_by(self, name: str) -> Connectome:
        """Return the connectome with its areas sorted by one of their values, the smallest first.

        Raises:
            UserError: there are no values of this name.
        """
        order = np.argsort(self.values[name], kind="stable").tolist()
        return self if order == sorted(order) else replace(self._taken("", order), name=self.name)

    @property
    def has_negative_weights(self) -> bool:
        """Whether any weight, or further weight, is below 0."""
        return any((array < 0).any() for array in (self.weights, *self.further_weights.values()))

    def _taken(self, what: str, keep: list[int]) -> Connectome:
        """Return the connectome of some areas, in this order."""
        areas, square = np.array(keep, dtype=int), np.ix_(keep, keep)
        return replace(
            self,
            name=f"{self.name}, {what}",
            areas=tuple(self.areas[i] for i in keep),
            weights=self.weights[square],
            lengths_mm=None if self.lengths_mm is None else self.lengths_mm[square],
            values={name: array[areas] for name, array in self.values.items()},
            further_weights={name: array[square] for name, array in self.further_weights.items()},
            pathway_values={name: array[square] for name, array in self.pathway_values.items()},
            positions_mm=None if self.positions_mm is None else self.positions_mm[areas],
        )

    def _mapped(self, what: str, function: Callable[[np.ndarray], np.ndarray]) -> Connectome:
        """Return the connectome with a function applied to all of its weights."""
        further = {name: function(array) for name, array in self.further_weights.items()}
        return replace(self, name=f"{self.name}, {what}", weights=function(self.weights), further_weights=further)


def check_is_connectome(thing: Any) -> None:
    """Raise UserError unless a thing is a Connectome."""
    if not isinstance(thing, Connectome):
        raise UserError(f"{shown(thing)} is not a connectome; expected a Connectome, such as load_connectome returns")
