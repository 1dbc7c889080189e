"""The curves and surfaces of a boundary that a search has found."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.mesh import Edge, Mesh
from gbaexplore.study.study import Study
from gbaexplore.study.variants import Variant

if TYPE_CHECKING:
    import xarray as xr

VERTEX, TRIANGLE = "vertex", "triangle"
CURVE, CORNERS = "curve", "corners"


def curves_of(study: Study, variants: list[Variant], meshes: list[Mesh]) -> xr.Dataset:
    """Return the boundary that meshes have found, as curves or, in three parameters, as surfaces."""
    import xarray as xr

    template = study.template()
    names = list(study.numeric)
    at, width = np.empty((0, len(names))), np.empty((0, len(names)))
    curve = np.empty(0, int)
    triangles = np.empty((0, 3), int)
    labels: dict[str, list[str]] = {name: [] for name in study.categorical}
    for variant, mesh in zip(variants, meshes):
        crossings, facets = mesh.crossings(), list(mesh.facets())
        pieces = _lines(facets) if len(names) == 2 else _surfaces(facets)
        for edges, corners in pieces:
            triangles = np.vstack([triangles, np.array(corners, int).reshape(-1, 3) + len(at)])
            at = np.vstack([at, [crossings[edge].at for edge in edges]])
            width = np.vstack([width, [crossings[edge].width for edge in edges]])
            curve = np.append(curve, np.full(len(edges), curve[-1] + 1 if curve.size else 0))
            for name, label in variant.labels.items():
                labels[name] += [label] * len(edges)
    coords: dict[str, Any] = {name: (VERTEX, at[:, i], template[name].attrs) for i, name in enumerate(names)}
    coords |= {name: (VERTEX, np.array(values, object), template[name].attrs) for name, values in labels.items()}
    coords[CURVE] = (VERTEX, curve, {"long_name": "number of the curve", "units": "1"})
    data: dict[str, Any] = {}
    for i, name in enumerate(names):
        attrs = {"long_name": f"width of the bracket in {name}", "units": template[name].attrs["units"]}
        data[f"{name}_width"] = (VERTEX, width[:, i], attrs)
    if len(names) == 3:
        attrs = {"long_name": "vertices of a triangle of the surface", "units": "1"}
        data[CORNERS] = ((TRIANGLE, "corner"), triangles, attrs)
    return xr.Dataset(data, coords, {"Conventions": template.attrs["Conventions"]})


def _lines(segments: list[list[Edge]]) -> list[tuple[list[Edge], list[list[int]]]]:
    """Return segments as lines, each in order."""
    beside: dict[Edge, list[Edge]] = {}
    for a, b in segments:
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    found: list[tuple[list[Edge], list[list[int]]]] = []
    left = dict.fromkeys(beside)
    # Open lines first: a closed one may begin anywhere.
    for first in sorted(beside, key=lambda edge: len(beside[edge])):
        if first not in left:
            continue
        line = [first]
        del left[first]
        while following := [edge for edge in beside[line[-1]] if edge in left]:
            line.append(following[0])
            del left[following[0]]
        closed = len(line) > 2 and first in beside[line[-1]]
        found.append((line + [first] * closed, []))
    return found


def _surfaces(triangles: list[list[Edge]]) -> list[tuple[list[Edge], list[list[int]]]]:
    """Return triangles by surface, each as positions among the surface's crossings."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not triangles:
        return []
    number = {edge: i for i, edge in enumerate(dict.fromkeys(itertools.chain(*triangles)))}
    corners = np.array([[number[edge] for edge in triangle] for triangle in triangles])
    a, b = corners[:, [0, 1]].T.ravel(), corners[:, [1, 2]].T.ravel()
    count, part = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(len(number),) * 2), directed=False)
    edges = list(number)
    found = []
    for surface in range(count):
        own = np.flatnonzero(part == surface)
        position = np.empty(len(edges), int)
        position[own] = np.arange(len(own))
        found.append(([edges[i] for i in own], position[corners[part[corners[:, 0]] == surface]].tolist()))
    return found
