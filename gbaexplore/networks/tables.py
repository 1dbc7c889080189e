"""Connectomes from pandas tables, NetworkX graphs and arrays with labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gbaexplore.basics import numbers
from gbaexplore.basics.errors import UserError, listing, shown
from gbaexplore.networks.anatomy import area_names

_SIDES = ("rows (targets)", "columns (sources)")


def areas_of(weights: Any, name: str) -> tuple[str, ...]:
    """Return the areas of a table of weights: its rows.

    Raises:
        UserError: it is no table with labels.
    """
    if not (hasattr(weights, "index") and hasattr(weights, "columns")):
        raise UserError(f"{name}: weights is {type(weights).__name__}; expected a pandas DataFrame with area labels")
    return area_names(tuple(weights.index), name)


class Graph:
    """A `networkx.DiGraph` as areas, and attributes as arrays.

    Raises:
        UserError: an undirected graph, or one with parallel edges; nodes that are not names of areas.
    """

    def __init__(self, graph: Any) -> None:
        if not hasattr(graph, "is_directed") or not graph.is_directed() or graph.is_multigraph():
            raise UserError(
                f"found a {type(graph).__name__}; expected a networkx.DiGraph, with an edge from source to target "
                "for each pathway (graph.to_directed() makes one of an undirected graph, pathways both ways)"
            )
        self.name = str(graph.name or "graph")
        self.areas = area_names(tuple(graph), self.name)
        self._nodes, self._edges = list(graph.nodes(data=True)), list(graph.edges(data=True))

    def values(self, attribute: str) -> np.ndarray:
        """Return an attribute of the nodes, (n,)."""
        found = [_attribute(node, attribute, f"node {area}") for area, node in self._nodes]
        return numbers.array(found, f"{self.name}: {attribute}", lambda where: self.areas[where[0]])

    def matrix(self, attribute: str) -> np.ndarray:
        """Return an attribute of the edges, (n, n), 0 where there is no edge."""
        found = [_attribute(edge, attribute, f"edge {a} -> {b}") for a, b, edge in self._edges]
        array = numbers.array(
            found, f"{self.name}: {attribute}", lambda where: "edge {} -> {}".format(*self._edges[where[0]][:2])
        )
        if array.ndim != 1:
            raise UserError(f'{self.name}: "{attribute}" has shape {array.shape[1:]}; expected one number at each edge')
        at = {area: i for i, area in enumerate(self.areas)}
        matrix = np.zeros((len(at), len(at)))
        matrix[[at[b] for _, b, _ in self._edges], [at[a] for a, _, _ in self._edges]] = array
        return matrix


def aligned(values: Any, areas: tuple[str, ...], what: str) -> np.ndarray:
    """Return values as an array with its sides in the order of `areas`.

    A side with labels is sorted; a side without labels, or numbered from 0, is taken to be in order. A DataArray may
    have the dimensions "target" and "source" in either order. A mapping by area may have more areas.

    Raises:
        UserError: labels that are not the areas; values that are not finite numbers.
    """
    if isinstance(values, Mapping) or _is_series(values):
        values = _by_area(values, areas, what)
    if set(getattr(values, "dims", ())) == {"target", "source"}:
        values = values.transpose("target", "source")
    sides = [None if side is None or side == list(range(len(side))) else side for side in labels_of(values)]
    array = numbers.array(values, what, lambda where: "<-".join(_name(areas, i) for i in where))
    return taken(array, sides, areas, what)


def labels_of(values: Any) -> list[list[Any] | None]:
    """Return the labels of each side of a table or DataArray, None for a side without; [] for a plain array."""
    if hasattr(values, "dims") and hasattr(values, "coords"):
        return [values[dim].values.tolist() if dim in values.coords else None for dim in values.dims]
    if hasattr(values, "index") and hasattr(values, "to_numpy"):
        return [side.tolist() for side in (values.index, getattr(values, "columns", None)) if side is not None]
    return []


def taken(array: np.ndarray, sides: Sequence[list[Any] | None], areas: tuple[str, ...], what: str) -> np.ndarray:
    """Return an array with its sides, of which the labels are given or None, in the order of `areas`.

    Raises:
        UserError: labels that are not the areas.
    """
    for axis, labels in enumerate(sides):
        if labels is None:
            continue
        if set(labels) != set(areas) or len(labels) != len(areas):
            odd = sorted(map(str, set(labels) ^ set(areas))) or ["some area twice"]
            raise UserError(
                f"{what}: {_SIDES[axis] if len(sides) == 2 else 'labels'} are not the {len(areas)} areas "
                f"({listing(odd, 5)}); expected the same areas on every side: choose them with table.loc[areas, areas]"
            )
        at = {label: i for i, label in enumerate(labels)}
        array = np.take(array, [at[area] for area in areas], axis=axis)
    return array


def _name(areas: tuple[str, ...], i: int) -> str:
    return areas[i] if i < len(areas) else str(i)


def _is_series(values: Any) -> bool:
    labels: Any = getattr(values, "index", None)
    return hasattr(labels, "is_unique") and not hasattr(values, "columns") and labels.tolist() != [*range(len(labels))]


def _by_area(values: Any, areas: tuple[str, ...], what: str) -> list[Any]:
    lacking = [area for area in areas if area not in values]
    if lacking:
        raise UserError(f"{what} has no {listing(lacking)}; expected a value of each area")
    if not getattr(getattr(values, "index", None), "is_unique", True):
        raise UserError(f"{what} has some area twice; expected one value of each area")
    return [values[area] for area in areas]


def _attribute(attributes: Mapping[str, Any], name: Any, of: str) -> Any:
    if not isinstance(name, str):
        raise UserError(f"the attribute {shown(name)} is not text; expected its name, as the graph has it")
    if name not in attributes:
        raise UserError(f'{of} has no "{name}"; expected this attribute in each (it has {listing(attributes)})')
    return attributes[name]
