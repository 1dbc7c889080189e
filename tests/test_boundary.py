"""Boundaries: found in full, to the tolerance, from few points, with the bits of the grid."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

import gbaexplore as gba
from gbaexplore import Connectome, Final, Model, Peak, Study, UserError, find_boundary, parameter
from gbaexplore.analysis import propagation_ratio

ONE = Connectome("one", ("A",), hierarchy=[1.0], fln=[[0.0]])


class Value(NamedTuple):
    value: object


@dataclass(frozen=True)
class Shape(Model):
    """Ends at a known function of its parameters, whose zeros are the boundary."""

    kind: str = "circle"
    x: float = parameter(0.0, units="1", doc="first")
    y: float = parameter(0.0, units="1", doc="second")
    z: float = parameter(0.0, units="1", doc="third")

    observables = {"value": "1"}  # noqa: RUF012

    def rest(self, p, net):
        return {"value": 0 * p.x}

    def start(self, p, net):
        return Value(0 * p.x)

    def step(self, x, p, net, stimulus, dt):
        return Value(DISTANCE[self.kind](p.x, p.y, p.z, jnp))


def islands(x, y, z, np):
    return np.maximum(1.1 - np.hypot(x + 3, y + 0.3), 1.7 - np.hypot(x - 2.2, y - 0.7))


# Distance from the boundary, positive on its far side.
DISTANCE = {
    "circle": lambda x, y, z, np: np.hypot(x, y) - 2.0,
    "across": lambda x, y, z, np: x - 0.37 + 0 * y,
    "along": lambda x, y, z, np: y - 0.37 + 0 * x,
    "islands": islands,
    "corner": lambda x, y, z, np: np.maximum(x - 0.413, y - 0.713),
    "fold": lambda x, y, z, np: (x - y**3 / 2 + 1.5 * y) / np.hypot(1.0, 1.5 * (y**2 - 1)),
    "nowhere": lambda x, y, z, np: 1.0 + x**2 + 0 * y,
    "sphere": lambda x, y, z, np: np.sqrt(x**2 + y**2 + z**2) - 2.0,
}
YES = {"value": lambda ds: ds.final_rate.isel(area=0) > 0, "number": lambda ds: ds.final_rate.isel(area=0)}
AXES = {"x": [-5.0, 5.2], "y": [-4.0, 4.1]}


def shape(kind="circle", axes=AXES, **parts):
    given = dict(name=kind, model=Shape(kind=kind), connectome=ONE, axes=axes, measures=[Final()])
    return Study(**{**given, "dt": 0.1, "duration": 0.1, "precision": "float64", **parts})


@functools.cache
def found(kind, of="value", tolerance=0.01, start=9):
    axes = {**AXES, "z": [-4.2, 4.0]} if kind == "sphere" else AXES
    return find_boundary(shape(kind, axes), YES[of], tolerance=dict.fromkeys(axes, tolerance), start=start)


def along(curves, per_segment=5):
    """Points all along curves, between their vertices too: (point, 2)."""
    parts = []
    for _, curve in curves.groupby("curve"):
        ends = np.stack([curve.x.values, curve.y.values], axis=1)
        share = np.linspace(0, 1, per_segment)[:, None, None]
        parts.append((ends[:-1] + share * np.diff(ends, axis=0)).reshape(-1, 2))
    return np.concatenate(parts)


def error(boundary, kind):
    """How far the curves lie from the true boundary, at most."""
    x, y = along(boundary.curves).T
    return np.abs(DISTANCE[kind](x, y, 0.0, np)).max()


@pytest.mark.parametrize("of", YES)
@pytest.mark.parametrize("kind", ["circle", "across", "along", "islands", "corner", "fold"])
def test_a_boundary_of_any_shape_is_found_to_the_tolerance(kind, of):
    boundary = found(kind, of)
    assert error(boundary, kind) <= 0.01
    assert boundary.curves.complete == 1
    assert boundary.curves.sizes["vertex"] > 10
    assert float((boundary.curves.x_width + boundary.curves.y_width).max()) <= 0.005 + 1e-12


@pytest.mark.parametrize("of", YES)
def test_all_of_a_boundary_is_found(of):
    radius = {0: 1.1, 1: 1.7}
    lines = [curve for _, curve in found("islands", of).curves.groupby("curve")]
    assert len(lines) == 2
    lengths = sorted(float(np.hypot(np.diff(line.x), np.diff(line.y)).sum()) for line in lines)
    np.testing.assert_allclose(lengths, [2 * np.pi * r for r in radius.values()], rtol=0.02)
    for line in lines:
        assert (line.x[0], line.y[0]) == (line.x[-1], line.y[-1])  # closed
    (fold,) = [curve for _, curve in found("fold", of).curves.groupby("curve")]
    assert float(fold.y.max() - fold.y.min()) > 4  # through its folds
    assert (np.diff(fold.x) > 0).any() and (np.diff(fold.x) < 0).any()
    (across,) = [curve for _, curve in found("across", of).curves.groupby("curve")]
    assert sorted([float(across.y[0]), float(across.y[-1])]) == AXES["y"]  # from end to end


def test_half_the_tolerance_halves_the_error():
    errors = [error(found("circle", "value", tolerance), "circle") for tolerance in (0.08, 0.04, 0.02, 0.01)]
    assert all(worst <= tolerance for worst, tolerance in zip(errors, (0.08, 0.04, 0.02, 0.01)))
    assert errors[-1] < errors[0] / 4


def test_a_number_takes_fewer_points_than_a_yes_or_no():
    sizes = {of: found("circle", of).points.sizes["point"] for of in YES}
    assert sizes["number"] < 0.8 * sizes["value"]
    assert sizes["value"] < 6000  # of 1020 x 810 of a grid


def test_a_surface_in_three_dimensions():
    boundary = found("sphere", "number", tolerance=0.1, start=5)
    curves, corners = boundary.curves, boundary.curves.corners.values
    at = np.stack([curves[name].values for name in "xyz"], axis=1)
    middles = at[corners].mean(axis=1)
    assert np.abs(np.linalg.norm(middles, axis=1) - 2).max() <= 0.1
    assert set(curves.curve.values.tolist()) == {0}
    # Closed: each edge belongs to two triangles, once in each direction; and their outer side is the positive one.
    edges = np.concatenate([corners[:, [i, (i + 1) % 3]] for i in range(3)])
    assert {tuple(edge) for edge in edges.tolist()} == {tuple(edge) for edge in edges[:, ::-1].tolist()}
    volume = np.einsum("ti,ti->", at[corners[:, 0]], np.cross(at[corners[:, 1]], at[corners[:, 2]])) / 6
    np.testing.assert_allclose(volume, 4 / 3 * np.pi * 8, rtol=0.05)


def test_no_boundary_has_no_vertices():
    boundary = found("nowhere")
    assert boundary.curves.sizes["vertex"] == 0
    assert boundary.points.sizes["point"] == 81
