"""Connectomes from pandas tables, NetworkX graphs and arrays with labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics import numbers
from gbaexplore.basics.errors import UserError, listing, shown
from gbaexplore.networks.anatomy import Anatomy, area_names, relative

if TYPE_CHECKING:
    import pandas as pd

_SIDES = ("rows (targets)", "columns (sources)")


def of_pandas(tables: Mapping[str, pd.DataFrame | None], hierarchy: Any, name: str) -> Anatomy:
    """Return the anatomy in tables of the same areas, in the order of the rows of `fln`."""
    given: dict[str, Any] = {field: t for field, t in tables.items() if t is not None or field == "fln"}
    for field, table in given.items():
        if not (hasattr(table, "index") and hasattr(table, "columns")):
            raise UserError(f"{name}: {field} is {type(table).__name__}; expected a pandas DataFrame with area labels")
    areas = area_names(tuple(given["fln"].index), name)
    matrices = {
        field: _taken(numbers.array(table, f"{name}: {field}", _at(table)), labels_of(table), areas, f"{name}: {field}")
        for field, table in given.items()
    }
    return Anatomy(areas, _positions(hierarchy, areas, name), matrices)


def of_networkx(graph: Any, attributes: Mapping[str, str | None], hierarchy: str) -> tuple[str, Anatomy]:
    """Return a graph's name and its anatomy.

    Args:
        attributes: field of Connectome -> the edges' attribute, or None.
        hierarchy: the nodes' attribute.
    """
    if not hasattr(graph, "is_directed") or not graph.is_directed() or graph.is_multigraph():
        raise UserError(
            f"found a {type(graph).__name__}; expected a networkx.DiGraph, with an edge from source to target "
            "for each pathway (graph.to_directed() makes one of an undirected graph, pathways both ways)"
        )
    name, areas = str(graph.name or "graph"), area_names(tuple(graph), str(graph.name or "graph"))
    levels = {area: _attribute(node, hierarchy, f"node {area}") for area, node in graph.nodes(data=True)}
    edges = list(graph.edges(data=True))
    at = {area: i for i, area in enumerate(areas)}
    sources, targets = ([at[edge[side]] for edge in edges] for side in (0, 1))
    matrices = {}
    for field, attribute in attributes.items():
        if attribute is not None or field == "fln":
            values = [_attribute(edge, attribute, f"edge {a} -> {b}") for a, b, edge in edges]
            weights = numbers.array(
                values, f"{name}: {attribute}", lambda where: "edge {} -> {}".format(*edges[where[0]][:2])
            )
            if weights.ndim != 1:
                raise UserError(
                    f'{name}: "{attribute}" has shape {weights.shape[1:]}; expected one number at each edge'
                )
            matrices[field] = np.zeros((len(areas), len(areas)))
            matrices[field][targets, sources] = weights
    return name, Anatomy(areas, _positions(levels, areas, name), matrices)


def aligned(values: Any, areas: tuple[str, ...], what: str) -> np.ndarray:
    """Return values as an array with its sides in the order of `areas`.

    A side with labels is sorted; a side without labels, or numbered from 0, is taken to be in order. A DataArray may
    have the dimensions "target" and "source" in either order.

    Raises:
        UserError: labels that are not the areas; values that are not finite numbers.
    """
    if set(getattr(values, "dims", ())) == {"target", "source"}:
        values = values.transpose("target", "source")
    sides = [None if side is None or side == list(range(len(side))) else side for side in labels_of(values)]
    array = numbers.array(values, what, lambda where: "<-".join(_name(areas, i) for i in where))
    return _taken(array, sides, areas, what)


def labels_of(values: Any) -> list[list[Any] | None]:
    """Return the labels of each side of a table or DataArray, None for a side without; [] for a plain array."""
    if hasattr(values, "dims") and hasattr(values, "coords"):
        return [values[dim].values.tolist() if dim in values.coords else None for dim in values.dims]
    if hasattr(values, "index") and hasattr(values, "to_numpy"):
        return [side.tolist() for side in (values.index, getattr(values, "columns", None)) if side is not None]
    return []


def _taken(array: np.ndarray, sides: Sequence[list[Any] | None], areas: tuple[str, ...], what: str) -> np.ndarray:
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


def _at(table: pd.DataFrame) -> Any:
    return lambda where: f"{table.index[where[0]]}<-{table.columns[where[1]]}"


def _name(areas: tuple[str, ...], i: int) -> str:
    return areas[i] if i < len(areas) else str(i)


def _positions(hierarchy: Mapping[str, float] | pd.Series, areas: tuple[str, ...], name: str) -> np.ndarray:
    if not hasattr(hierarchy, "keys"):
        raise UserError(
            f"{name}: hierarchy is {type(hierarchy).__name__}; expected a Series or a mapping, from area to position"
        )
    lacking = [area for area in areas if area not in hierarchy]
    if lacking:
        raise UserError(f"{name}: hierarchy has no {listing(lacking)}; expected the position of each area")
    if not getattr(getattr(hierarchy, "index", None), "is_unique", True):
        raise UserError(f"{name}: hierarchy has some area twice; expected one position of each area")
    values = [hierarchy[area] for area in areas]
    return relative(numbers.array(values, f"{name}: hierarchy", lambda where: areas[where[0]]))


def _attribute(attributes: Mapping[str, Any], name: Any, of: str) -> Any:
    if not isinstance(name, str):
        raise UserError(f"the attribute {shown(name)} is not text; expected its name, as the graph has it")
    if name not in attributes:
        raise UserError(f'{of} has no "{name}"; expected this attribute in each (it has {listing(attributes)})')
    return attributes[name]
