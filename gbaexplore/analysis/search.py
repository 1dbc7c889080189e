"""Searching for a boundary in two or three parameters without a full grid."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gbaexplore.analysis.curves import CORNERS, TRIANGLE, VERTEX, curves_of
from gbaexplore.analysis.mesh import Mesh, Point
from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.names import AREA, COMPUTED, DIVERGED, OK, STATUS, canonical
from gbaexplore.basics.numbers import number, whole_number
from gbaexplore.basics.points import SEED
from gbaexplore.store.recipe import explained, variant_name, with_noise
from gbaexplore.study.study import Study
from gbaexplore.study.variants import Variant

if TYPE_CHECKING:
    import xarray as xr

POINT, CRITERION = "point", "criterion"

_SHARE = 1e-3  # of an axis' range: its tolerance where none is given
_MOST_START = 1000
_OTHERS = 12  # times that a criterion is asked with other numbers where there are none
_ASKED = 256  # points in a batch: enough to keep lanes busy, few enough to choose well


class Boundary(NamedTuple):
    """The result of `find_boundary`."""

    points: xr.Dataset
    """Every point that was computed, along `point`: a study's variables, its parameters and labels as coordinates,
    and `criterion`, the value whose sign was looked at (plus or minus infinity for True or False)."""

    curves: xr.Dataset
    """The boundary along `vertex`: the parameters and labels as coordinates, `curve` (the number of the curve), and
    for each parameter `NAME_width`, how far apart the two computed points are that have the boundary between them."""

    def sel(self, **labels: str) -> Boundary:
        """Return the part at some labels, as in `found.sel(feedback="on")`.

        Raises:
            UserError: no such axis of labels, or no such label.
        """
        for axis, label in labels.items():
            axes = [str(name) for name, c in self.points.coords.items() if c.dims == (POINT,) and c.dtype.kind in "OUT"]
            known = list(dict.fromkeys(self.points[axis].values.tolist())) if axis in axes else axes
            if axis not in axes or label not in known:
                shown = ", ".join(map(str, known)) or "none"
                raise UserError(f'no label "{label}" on an axis "{axis}"; expected one of {shown}')
        of_points = np.logical_and.reduce([self.points[axis].values == label for axis, label in labels.items()])
        kept = np.logical_and.reduce([self.curves[axis].values == label for axis, label in labels.items()])
        curves = self.curves.isel({VERTEX: kept})
        if CORNERS in curves:
            corners = self.curves[CORNERS]
            curves = curves.isel({TRIANGLE: kept[corners.values[:, 0]]})
            curves[CORNERS] = curves[CORNERS].copy(data=(np.cumsum(kept) - 1)[curves[CORNERS].values])
        return Boundary(self.points.isel({POINT: of_points}), curves)


def find_boundary(
    study: Study,
    of: str | Callable[[xr.Dataset], xr.DataArray] = "diverged",
    *,
    tolerance: Mapping[str, float] | None = None,
    start: int = 9,
    most: int = 20_000,
    known: xr.Dataset | None = None,
) -> Boundary:
    """Return the boundary at which a criterion changes over a study's two or three numeric axes, for all labels.

    The axes give the ranges. A mesh of triangles (tetrahedra) over `start` values of each is refined where the
    criterion changes, and nowhere else, until the boundary is known to the tolerance. So it finds boundaries of any
    shape, folded, closed or in several pieces, as long as the first mesh has points on both sides of each piece: an
    island that lies between all of its points is not seen, and neither is what an edge of the mesh crosses twice. More
    values at the start see more. The points are those of a grid that held them: every bit of them is the same.

    Args:
        study: its axes of labels are taken in full; the values of its axes of numbers matter for their range, and for
            how they are spaced.
        of: "diverged", or a function of a Dataset of points (along `point`) that returns a value for each: True or
            False, or a number, which is looked at for where it turns positive. A number is better than a yes or no: it
            says how far off the boundary is. Infinite ones count for their sign. At points that diverged, measures
            are NaN: True or False that depends on them is refused, as in `ds.peak_rate > 100` alone.
        tolerance: how far off the boundary may be along an axis, in its unit, as {"G": 0.01}. Everywhere, the true
            boundary is expected within it of the one returned, along the axis that crosses it best in tolerances. An
            axis that is left out gets the smallest share of its range that is given of another; without any, 1/1000.
        start: how many values of each axis the search starts from, evenly among the axis' own.
        most: after so many points nothing is refined further; what was begun is ended, and the attribute `complete`
            of the curves is 0.
        known: points of an earlier search of this study, which are not computed again. So a search goes on: with
            a larger `most`, a smaller tolerance, or another criterion.

    Returns:
        The points and the curves. In two dimensions, the vertices of a curve follow each other in their order; a
        closed one ends where it begins. In three, a `curve` is a surface, of the triangles `corners`, (triangle,
        corner), whose numbers are positions along `vertex`; seen from its positive side, each turns anticlockwise. No
        boundary has no vertices. The order is always the same.

    Raises:
        UserError: not two or three axes of numbers; a tolerance of no axis, or not above 0; a criterion that is not a
            number for each point; points that another study knows.
    """
    _checked_axes(study)
    start = whole_number(start, "start", least=2)
    if start > _MOST_START:
        raise UserError(
            f"start = {start}; expected at most {_MOST_START:,} values of each axis: the search refines them"
        )
    axes = [_spread(np.sort(values), start) for values in study.numeric.values()]
    tolerances = _tolerances(study, tolerance or {})
    evaluated = _Evaluated(study, of)
    if known is not None:
        evaluated.add_known(known)
    meshes = [Mesh(axes, tolerances) for _ in evaluated.variants]
    complete = evaluated.search(meshes, most)
    curves = curves_of(study, evaluated.variants, meshes)
    shown = {f"tolerance_{name}": value for name, value in zip(study.numeric, tolerances.tolist())}
    return Boundary(evaluated.dataset(), curves.assign_attrs(title=study.name, complete=int(complete), **shown))


def _checked_axes(study: Study) -> None:
    listed = [*study.tables, *(name for name in study.numeric if name == SEED)]
    if listed:
        raise UserError(
            f'axis "{listed[0]}" has no values between its own; expected axes of numbers and of labels: leave it out, '
            "or give it as fixed"
        )
    single = [name for name, values in study.numeric.items() if len(values) < 2]
    if single:
        raise UserError(
            f'axis "{single[0]}" has one value; expected a range: give it as fixed={{"{single[0]}": '
            f"{study.numeric[single[0]][0]:g}}}"
        )
    if len(study.numeric) not in (2, 3):
        raise UserError(
            f"{len(study.numeric)} axes of numbers ({', '.join(study.numeric) or 'none'}); expected two or three that "
            "span the boundary"
        )


def _spread(values: np.ndarray, count: int) -> np.ndarray:
    """Return `count` values, evenly by position along an axis: where its values are dense, they are."""
    return canonical(np.interp(np.linspace(0, len(values) - 1, count), np.arange(len(values)), values))


def _tolerances(study: Study, given: Mapping[str, float]) -> np.ndarray:
    for name in given:
        if name not in study.numeric:
            raise UserError(unknown(f'tolerance of "{name}"', name, study.numeric, "Axes of numbers"))
    given = {name: number(value, f"the tolerance of {name}") for name, value in given.items()}
    for name, value in given.items():
        if value <= 0:
            raise UserError(f"the tolerance of {name} is {value}; expected a number above 0")
    ranges = {name: float(np.ptp(values)) for name, values in study.numeric.items()}
    share = min((value / ranges[name] for name, value in given.items()), default=_SHARE)
    return np.array([float(given.get(name, share * length)) for name, length in ranges.items()])


class _Evaluated:
    """The computed points, each once, with the criterion's values."""

    def __init__(self, study: Study, of: str | Callable[[xr.Dataset], xr.DataArray]) -> None:
        if not callable(of) and not (isinstance(of, str) and of == "diverged"):
            raise UserError(f'of = {of!r}; expected "diverged" or a function of a Dataset, such as propagation_ratio')
        self.of: Any = of if callable(of) else (lambda ds: ds[STATUS] == DIVERGED)
        self.variants = list(study.variants())
        self.study = study.pinned().in_queues(4 * _ASKED)
        self.template = study.template()
        self.values: list[dict[Point, float]] = [{} for _ in self.variants]
        self.parts: list[xr.Dataset] = []

    def search(self, meshes: list[Mesh], most: int) -> bool:
        """Compute the points that meshes propose until they are done; return whether the limit left them complete."""
        refused = []

        def goes_on() -> bool:
            refused.append(self.count >= most)
            return not refused[-1]

        asking = {i: mesh.proposals(_ASKED, goes_on) for i, mesh in enumerate(meshes)}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            while asking:
                wanted = {i: next(proposals, None) for i, proposals in asking.items()}
                asking = {i: proposals for i, proposals in asking.items() if wanted[i] is not None}
                self.compute({i: points for i, points in wanted.items() if points}, pool)
                for i in asking:
                    meshes[i].values.update({point: self.values[i][point] for point in wanted[i] or ()})
        return not any(refused)

    @property
    def count(self) -> int:
        """Number of points."""
        return sum(map(len, self.values))

    def compute(self, wanted: dict[int, list[Point]], pool: ThreadPoolExecutor) -> None:
        """Compute the unknown points, by variant, in batches of the simulator's size."""
        new = {i: [p for p in dict.fromkeys(points) if p not in self.values[i]] for i, points in wanted.items()}
        share = -(-sum(map(len, new.values())) // (os.cpu_count() or 1))
        size = min(self.study.queue_points, max(_ASKED, -(-share // _ASKED) * _ASKED))
        jobs = [(i, points[at : at + size]) for i, points in new.items() for at in range(0, len(points), size)]
        if not jobs:
            return
        if not self.parts:
            # The first compiles; the others find the program.
            self.study.prepare(self.variants[0])
        for (i, points), part in zip(jobs, list(pool.map(lambda job: self.simulated(*job), jobs))):
            self.add(part, [i] * len(points), points)

    def simulated(self, number: int, points: list[Point]) -> xr.Dataset:
        """Return the simulated points of a variant, as a part of the result."""
        variant = self.variants[number]
        at = dict(zip(self.study.numeric, np.array(points).T))
        parameters = self.study.points_at(variant, at)
        found = self.study.run_points(variant, parameters, len(points))
        return self.labelled(variant, at | parameters, found, len(points))

    def labelled(
        self, variant: Variant, parameters: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray], count: int
    ) -> xr.Dataset:
        """Return these points as a Dataset like the study's."""
        import xarray as xr

        like = self.template
        of_grid = {*self.study.axes, *self.study.derived}
        coords: dict[str, Any] = {
            str(name): _at_labels(c, variant, count) for name, c in like.coords.items() if name not in of_grid
        }
        for name in (n for n in parameters if n in of_grid):
            coords[name] = ((POINT, AREA)[: parameters[name].ndim], parameters[name], like[name].attrs)
        for name, label in variant.labels.items():
            coords[name] = (POINT, np.full(count, label, object), like[name].attrs)
        dims = {name: variable.dims for name, variable in self.study.variables.items()}
        names = map(str, like.data_vars)
        data = {name: ((POINT, *dims.get(name, ())), found[name], like[name].attrs) for name in names}
        return xr.Dataset(data, coords, dict(like.attrs))

    def add(self, part: xr.Dataset, numbers: list[int], points: list[Point]) -> None:
        """Add points of the variants `numbers`."""
        values = _criterion(self.of, part)
        part[CRITERION] = (POINT, values, {"long_name": "what changes its sign at the boundary", "units": "1"})
        self.parts.append(part)
        for variant, point, value in zip(numbers, points, values.tolist()):
            self.values[variant][point] = value

    def add_known(self, known: xr.Dataset) -> None:
        """Add the finished points of an earlier search."""
        import xarray as xr

        recipe = known.attrs.get("gbaexplore_recipe") if isinstance(known, xr.Dataset) else None
        if recipe is None or POINT not in known.dims:
            raise UserError(
                "known is no Dataset of points of a search; expected find_boundary(...).points, or its file"
            )
        there = with_noise(json.loads(recipe))
        if "format" not in there:
            raise UserError(
                "the known points were computed by an earlier gbaexplore, and do not say by which program; expected "
                "points of this one: search without known"
            )
        others = explained(there, self.study.recipe())
        if others:
            raise UserError(
                f"the known points are another study's ({'; '.join(others[:3])}); expected those of this one: "
                "search without known, or with the study that they are of"
            )
        known = known.drop_vars(CRITERION, errors="ignore").load()
        known = known.isel({POINT: np.isin(known[STATUS], COMPUTED)})
        names = {variant_name(variant.labels): i for i, variant in enumerate(self.variants)}
        labels = [known[axis].values.tolist() for axis in self.study.categorical]
        rows = zip(*labels) if labels else itertools.repeat((), known.sizes[POINT])
        numbers = [names[variant_name(dict(zip(self.study.categorical, row)))] for row in rows]
        points = list(zip(*(known[axis].values.tolist() for axis in self.study.numeric)))
        if points:
            self.add(known, numbers, points)

    def dataset(self) -> xr.Dataset:
        """Return all points."""
        import xarray as xr

        return xr.concat(
            self.parts, POINT, data_vars="minimal", coords="minimal", compat="override", join="override",
            combine_attrs="override",
        )  # fmt: skip


def _at_labels(coordinate: xr.DataArray, variant: Variant, count: int) -> xr.Variable:
    """Return a coordinate of the study as one of points of a variant, along them if it depends on the labels."""
    at = {axis: label for axis, label in variant.labels.items() if axis in coordinate.dims}
    own = coordinate.sel(at).variable
    return own.set_dims({POINT: count, **own.sizes}) if at else own


def _criterion(of: Callable[[xr.Dataset], xr.DataArray], part: xr.Dataset) -> np.ndarray:
    """Return the criterion's value at each point: above 0 on one side; infinite for True or False."""
    found = of(part)
    if getattr(found, "dims", None) != (POINT,) or found.dtype.kind not in "biuf":
        what = f"{found.dtype} along {found.dims}" if hasattr(found, "dims") else type(found).__name__
        raise UserError(
            f'the criterion returned {what}; expected True or False, or a number, for each point, along ("{POINT}",): '
            'select the others, as in lambda ds: ds.peak_rate.sel(area="V1") - 100'
        )
    if found.dtype.kind == "b":
        _check_known(of, part, found.values)
        return np.where(found.values, np.inf, -np.inf)
    values = found.values.astype(np.float64)
    if np.isnan(values).any():
        raise UserError(
            f"the criterion is NaN at {np.isnan(values).sum()} of {len(values)} points; expected to know on which side "
            "they are: give them one, as in .fillna(np.inf)"
        )
    return values


def _check_known(of: Callable[[xr.Dataset], xr.DataArray], part: xr.Dataset, found: np.ndarray) -> None:
    """Raise UserError if True or False depends on a value that a point lacks because it diverged or is undefined.

    A comparison with NaN is False without a word. So the criterion is asked again with other numbers in its place.
    """
    lacks = ~np.isin(part[STATUS].values, (OK,))
    rng = np.random.default_rng(0)
    for _ in range(_OTHERS if lacks.any() else 0):
        other = part.copy()
        for name, array in part.data_vars.items():
            missing = np.isnan(array.values) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
            missing[~lacks] = False
            values = array.values.copy()
            values[missing] = rng.choice([-1.0, 1.0], missing.sum()) * 10 ** rng.uniform(-30, 30, missing.sum())
            other[name] = array.copy(data=values)
        differs = (of(other).values != found) & lacks
        if differs.any():
            raise UserError(
                f"the criterion compares values that {differs.sum()} points lack, as they diverged or are undefined: "
                "NaN is False without a word; expected to know on which side they are: say so by status, as in "
                "(ds.peak_rate > 100) | (ds.status == 2), or measure when they diverged, with gba.Divergence"
            )
