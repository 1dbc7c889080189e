"""A study: labelled axes over one model. The one crossing between labels (xarray) and positions (JAX)."""

from __future__ import annotations

import copy
import dataclasses
import functools
import graphlib
import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from gbaexplore import checks, engine
from gbaexplore.calibration import SolvedMeasure, Trials
from gbaexplore.code import code_hash
from gbaexplore.connectome import Connectome
from gbaexplore.engine import AMPLITUDE
from gbaexplore.errors import UserError
from gbaexplore.identity import made
from gbaexplore.labels import AREA, STATUS, STATUS_ATTRS, canonical
from gbaexplore.measures import Measure, SpectralAbscissa, StreamingMeasure, Variable
from gbaexplore.models.base import Model, Network, checked_values
from gbaexplore.noise import NOISE, SEED, coordinate_hashes
from gbaexplore.programs import Programs, key
from gbaexplore.recipe import course_hash
from gbaexplore.revisions import FORMAT, REVISIONS
from gbaexplore.stimulus import AbstractStimulus, Silence, dataset_of
from gbaexplore.store import input_name
from gbaexplore.table import Table, is_table, table
from gbaexplore.timing import whole_steps

if TYPE_CHECKING:
    import xarray as xr

_MOST_POINTS = 8192  # in one queue: about a second of work on one core
_MOST_BYTES = 64 * 2**20
_LEAST_BLOCK_POINTS = 1024
_BLOCKS = 32  # enough to share out evenly, in a study that is not large


class Variant(NamedTuple):
    """The objects that one combination of categorical labels stands for."""

    labels: dict[str, str]
    model: Model
    connectome: Connectome
    stimulus: AbstractStimulus


@dataclass(frozen=True)
class Block:
    """A part of the grid that is computed and written as one: a slice of every axis."""

    slices: tuple[slice, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis."""
        return tuple(s.stop - s.start for s in self.slices)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Study:
    """A grid of labelled axes, a model, what goes in and what comes out; checked when it is made.

    Args:
        name: names the store: letters, digits, "-", "_" and ".".
        model: the model, unless an axis gives it.
        axes: name -> numbers (a parameter of the model; "amplitude", the stimulus'; "seed", of noise) or
            name -> {label: connectome, stimulus or model, or a tuple of these} or
            name -> pandas DataFrame, a table of points: a column for each of some parameters, a point a row.
        measures: what to keep of each point.
        stimulus: unless an axis gives it.
        connectome: unless an axis gives it.
        fixed: parameter -> value at all points.
        derived: parameter -> function of other parameters (and of labels), by the names of its arguments.
        dt: step, s.
        duration: of the run, s.
        ceiling: a point has "diverged", and ends, when the model's first observable has risen by more, Hz.
        precision: "float32" or "float64", of states and results.
        block_points: how many points are written as one, about; chosen from the work and the memory if None.
            It changes no result, and a store keeps the blocks that it was made with.

    Raises:
        UserError: with what was found, what was expected and what to do.
    """

    name: str
    axes: Mapping[str, Any]
    measures: Sequence[Measure]
    model: Model | None = None
    stimulus: AbstractStimulus | None = None
    connectome: Connectome | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    derived: Mapping[str, Callable[..., float]] = field(default_factory=dict)
    dt: float = 2e-4
    duration: float = 10.0
    ceiling: float = 500.0
    precision: Literal["float32", "float64"] = "float32"
    block_points: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", checks.measures_of(self.measures))
        object.__setattr__(self, "numeric", {})
        object.__setattr__(self, "categorical", {})
        object.__setattr__(self, "tables", {})
        object.__setattr__(self, "_derived", {})
        checks.settings(self)
        for setting in ("dt", "duration", "ceiling"):
            object.__setattr__(self, setting, float(getattr(self, setting)))
        for name, values in checks.mapping(self.axes, "axes").items():
            if not isinstance(name, str) or not name.isidentifier():
                raise UserError(f"axis name {name!r}: expected a name such as muEE or feedback")
            if isinstance(values, Mapping):
                self.categorical[name] = checks.labelled(name, values)
            elif is_table(values):
                self.tables[name] = table(name, values)
            else:
                self.numeric[name] = checks.numbers(name, values)
        variants = list(self.variants())
        checks.objects(self, variants)
        checks.parameters(self, variants)
        for variant in variants:
            checked_values(variant.model, self.all_values(variant))
            for measure in self.measures:
                measure.check(variant.model, self.all_values(variant))
            self.plan(variant)
        checks.seeds(self)
        self.variables  # noqa: B018 - names that clash are found now

    numeric: dict[str, np.ndarray] = field(init=False, repr=False)
    categorical: dict[str, dict[str, tuple[Any, ...]]] = field(init=False, repr=False)
    tables: dict[str, Table] = field(init=False, repr=False)
    _derived: dict[tuple[str, ...], dict[str, tuple[list[str], np.ndarray]]] = field(init=False, repr=False)
    _programs: Programs | None = field(init=False, repr=False, default=None)
    source: tuple[str, str] | None = field(init=False, repr=False, default=None)
    """Path and SHA-256 of the file that the study was loaded from, if it was."""

    # What the grid is.

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis, in the order of `axes`."""
        return tuple(len(self.labels(name)) for name in self.axes)

    def labels(self, axis: str) -> np.ndarray:
        """Return the labels along an axis: numbers or words."""
        if axis in self.categorical:
            return np.array(list(self.categorical[axis]), dtype=object)
        return self.tables[axis].labels if axis in self.tables else self.numeric[axis]

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    @property
    def n_steps(self) -> int:
        """Number of steps of a whole run."""
        return whole_steps(self.duration, self.dt, "duration")

    @property
    def areas(self) -> tuple[str, ...]:
        """Names of the areas, in hierarchical order."""
        return next(self.variants()).connectome.areas

    def variants(self) -> Iterator[Variant]:
        """Yield the objects of each combination of categorical labels."""
        for combination in itertools.product(*(labels.items() for labels in self.categorical.values())):
            labels = {axis: label for axis, (label, _) in zip(self.categorical, combination)}
            yield self._variant(labels)

    def _variant(self, labels: dict[str, str]) -> Variant:
        objects = [thing for axis, label in labels.items() for thing in self.categorical[axis][label]]
        return Variant(
            labels,
            model=checks.one_of(Model, [*objects, self.model], "model=ThresholdLinear()"),
            connectome=checks.one_of(
                Connectome, [*objects, self.connectome], 'connectome=load_connectome("macaque29")'
            ),
            stimulus=checks.one_of(AbstractStimulus, [*objects, self.stimulus], "", otherwise=Silence()),
        )

    # Parameters.

    @functools.cached_property
    def listed(self) -> dict[str, tuple[str, np.ndarray]]:
        """For each parameter that an axis gives, or a table's column: the axis, and the values along it."""
        columns = {name: (axis, v) for axis, listed in self.tables.items() for name, v in listed.columns.items()}
        return {name: (name, values) for name, values in self.numeric.items()} | columns

    def base_values(self, variant: Variant) -> dict[str, float]:
        """The value of every parameter that neither an axis nor a function gives."""
        values = {name: float(getattr(variant.model, name)) for name in type(variant.model).parameters()}
        values |= {AMPLITUDE: float(variant.stimulus.amplitude)}
        values |= {name: float(value) for name, value in self.fixed.items()}
        return {k: v for k, v in values.items() if k not in (*self.listed, *self.derived, SEED)}

    @functools.cached_property
    def _varying(self) -> set[str]:
        """Parameters that variants differ in, and the amplitude: data to the program, so that all can share one."""
        first, *others = (self.base_values(variant) for variant in self.variants())
        return {name for name, value in first.items() if name == AMPLITUDE or any(o.get(name) != value for o in others)}

    @functools.cached_property
    def noisy(self) -> bool:
        """Whether the model draws random numbers, at any point of the study."""
        return any(variant.model.draws(self.all_values(variant)) for variant in self.variants())

    @functools.cached_property
    def _derivation(self) -> dict[str, tuple[list[str], list[str]]]:
        """For each derived parameter, dependencies first: its arguments, and the axes that it varies along."""
        arguments = {name: checks.arguments_of(name, function) for name, function in self.derived.items()}
        try:
            order = graphlib.TopologicalSorter(
                {name: [a for a in args if a in self.derived] for name, args in arguments.items()}
            ).static_order()
            found: dict[str, tuple[list[str], list[str]]] = {}
            for name in order:
                axes = {self.listed[a][0] for a in arguments[name] if a in self.listed}
                axes |= {axis for a in arguments[name] if a in found for axis in found[a][1]}
                found[name] = (arguments[name], [axis for axis in self.axes if axis in axes])
        except graphlib.CycleError as error:
            raise UserError(
                f"derived parameters depend on each other in a cycle: {' <- '.join(error.args[1])}; "
                "expected each to depend on axes, fixed or earlier derived parameters"
            ) from None
        return found

    def derived_values(self, variant: Variant) -> dict[str, tuple[list[str], np.ndarray]]:
        """Return, for each derived parameter, its axes and its values along them."""
        key = tuple(variant.labels.values())
        if key in self._derived:
            return self._derived[key]
        base = self.base_values(variant)
        found: dict[str, tuple[list[str], np.ndarray]] = {}
        for name, (arguments, axes) in self._derivation.items():
            shape = tuple(len(self.labels(axis)) for axis in axes)
            values = np.empty(shape)
            for index in np.ndindex(*shape):
                at = dict(zip(axes, index))
                known = {a: variant.labels.get(a) or self._value(a, at, base, found) for a in arguments}
                values[index] = self._derive(name, known)
            found[name] = (axes, canonical(values))
        self._derived[key] = found
        return found

    def _derive(self, name: str, known: Mapping[str, Any]) -> float:
        try:
            return float(self.derived[name](**known))
        except Exception as error:
            raise UserError(
                f'derived "{name}" raised {type(error).__name__} at {known}: {error}; expected a number'
            ) from None

    def _value(self, name: str, at: dict[str, int], base: dict[str, float], derived: dict[str, Any]) -> float:
        if name in self.listed:
            axis, values = self.listed[name]
            return float(values[at[axis]])
        if name in derived:
            axes, values = derived[name]
            return float(values[tuple(at[axis] for axis in axes)])
        return base[name]

    def all_values(self, variant: Variant) -> dict[str, np.ndarray]:
        """Every value that each parameter takes."""
        base = {name: np.asarray([value]) for name, value in self.base_values(variant).items()}
        return base | self._swept(variant)

    def _swept(self, variant: Variant) -> dict[str, np.ndarray]:
        """Every value that each parameter of axes, of tables and of functions takes."""
        listed = {name: values for name, (_, values) in self.listed.items()}
        return listed | {name: values.ravel() for name, (_, values) in self.derived_values(variant).items()}

    def points(self, block: Block) -> dict[str, np.ndarray]:
        """Return the (point,) values of each parameter of axes, tables and functions in a block, in C order."""
        axes = dict(zip(self.axes, block.slices))
        along = {name: ([axis], values) for name, (axis, values) in self.listed.items()}
        found = {}
        for name, (own, values) in (along | self.derived_values(self.variant_of(block))).items():
            part = values[tuple(axes[a] for a in own)]
            order = [part.shape[own.index(a)] if a in own else 1 for a in axes]
            found[name] = np.broadcast_to(part.reshape(order), block.shape).ravel()
        if self.noisy:
            coordinates = {name: found[name] for name in self.listed} | self.variant_of(block).labels
            found[NOISE] = self.point_hashes(coordinates, block.size)
            found.pop(SEED, None)
        return found

    def point_hashes(self, coordinates: Mapping[str, Any], count: int) -> np.ndarray:
        """Return what tells the noise of points, given by their coordinates along all axes, apart: (point,)."""
        return np.resize(coordinate_hashes({SEED: self.fixed.get(SEED, 0.0), **coordinates}), count)

    def points_at(self, variant: Variant, at: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what `points` does for points anywhere between the axes' values.

        Args:
            at: (point,) values of every axis parameter, canonical.

        Raises:
            UserError: a derived parameter has a value there that the model refuses.
        """
        base = self.base_values(variant)
        found = dict(at)
        for name, (arguments, _) in self._derivation.items():
            known = [
                {a: variant.labels.get(a) or (float(found[a][i]) if a in found else base[a]) for a in arguments}
                for i in range(len(next(iter(at.values()))))
            ]
            found[name] = canonical(np.array([self._derive(name, values) for values in known]))
        everywhere = {name: np.asarray([value]) for name, value in base.items()} | found
        checked_values(variant.model, everywhere)
        # A plan is made for the grid's values: what is skipped there must be nothing here too.
        for exact in (variant.model.starts_at_rest, variant.model.homogeneous):
            if exact(self.all_values(variant)) and not exact(everywhere):
                raise UserError(
                    f"{type(variant.model).__name__}.{exact.__name__} is True on the grid and False between its "
                    f"values; expected the same: give the axes values where {', '.join(self.derived)} show it"
                )
        if self.noisy:
            found[NOISE] = self.point_hashes({**at, **variant.labels}, len(next(iter(at.values()))))
            found.pop(SEED, None)
        return found

    # Blocks.

    @functools.cached_property
    def block_shape(self) -> tuple[int, ...]:
        """How many values of each axis a block has: 1 label, and as many numbers, or rows, as make good work."""
        chosen = min(self._most_points, max(_LEAST_BLOCK_POINTS, -(-self.size // _BLOCKS)))
        wanted = self.block_points or chosen
        shape = []
        inner = math.prod(length for name, length in zip(self.axes, self.shape) if name not in self.categorical)
        for name, length in zip(self.axes, self.shape):
            if name in self.categorical:
                shape.append(1)
                continue
            inner //= length
            parts = max(1, min(length, round(length * inner / wanted)))
            shape.append(-(-length // parts))
        return tuple(shape)

    @functools.cached_property
    def _most_points(self) -> int:
        """How many points may be computed at once: more is no faster, and takes memory."""
        per_point = sum(
            np.dtype(self.precision).itemsize * math.prod([len(self.coordinates()[d][0]) for d in v.dims])
            for v in self.variables.values()
        )
        return min(_MOST_POINTS, max(1, _MOST_BYTES // per_point))

    @property
    def queue_blocks(self) -> int:
        """How many blocks of one variant may be computed as one queue, which keeps the lanes busier than each alone."""
        per_variant = len(self.blocks()) // math.prod(len(labels) for labels in self.categorical.values())
        return max(1, min(per_variant, self._most_points // math.prod(self.block_shape)))

    @functools.cached_property
    def queue_points(self) -> int:
        """How many points the arrays are padded to."""
        return self.queue_blocks * math.prod(self.block_shape)

    def in_blocks(self, shape: tuple[int, ...]) -> Study:
        """Return this study with blocks of another shape: those of the store that it goes on in."""
        other = copy.copy(self)
        for old in ("_blocks", "queue_points"):
            vars(other).pop(old, None)
        vars(other)["block_shape"] = shape
        return other

    def in_queues(self, points: int) -> Study:
        """Return this study with queues of so many points (fewer if the memory says so), which need not be blocks."""
        other = copy.copy(self)
        vars(other)["queue_points"] = min(points, self._most_points)
        return other

    def blocks(self) -> list[Block]:
        """Return the blocks of the grid, in C order."""
        return self._blocks

    @functools.cached_property
    def _blocks(self) -> list[Block]:
        starts = [range(0, length, size) for length, size in zip(self.shape, self.block_shape)]
        return [
            Block(tuple(slice(a, min(a + n, m)) for a, n, m in zip(at, self.block_shape, self.shape)))
            for at in itertools.product(*starts)
        ]

    def variant_of(self, block: Block) -> Variant:
        """Return the variant that all points of a block share."""
        at = dict(zip(self.axes, (s.start for s in block.slices)))
        return self._variant({axis: list(labels)[at[axis]] for axis, labels in self.categorical.items()})

    # Running.

    def pinned(self) -> Study:
        """Return this study for one run: what its model and measures reach is looked at once, now, and no more.

        What is computed and what identifies it are then one. A study itself is looked at anew each time, because a
        notebook may have changed a constant or a function since.
        """
        if self._programs is not None:
            return self
        other = copy.copy(self)
        vars(other)["_programs"] = Programs()
        return other

    def on_grid_of(self, ds: xr.Dataset) -> Study:
        """Return this study with the numbers of a store's axes and tables, and its own labels."""
        import pandas as pd

        axes = dict(self.axes)
        for name in self.axes:
            if name in self.numeric:
                axes[name] = ds[name].values
            elif name in self.tables:
                columns = {column: ds[column].values for column in self.tables[name].columns}
                axes[name] = pd.DataFrame(columns, index=ds[name].values)
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        return Study(**{**given, "axes": axes})

    @property
    def programs(self) -> Programs:
        """The programs of this run, or of this moment."""
        return self._programs or Programs()

    def plan(self, variant: Variant, early_end: bool = True) -> engine.Plan:
        """Return how the points of a variant are simulated."""
        base = self.base_values(variant)
        return engine.plan(
            model=variant.model,
            measures=self._streaming,
            connectome=variant.connectome,
            pieces=variant.stimulus.pieces(variant.connectome, self.dt, self.n_steps),
            swept=self._swept(variant) | {name: np.array([base[name]]) for name in self._varying & set(base)},
            fixed={name: value for name, value in base.items() if name not in self._varying},
            dt=self.dt,
            n_steps=self.n_steps,
            ceiling=self.ceiling,
            precision=self.precision,
            early_end=early_end,
        )

    @property
    def _streaming(self) -> tuple[StreamingMeasure, ...]:
        return tuple(m for m in self.measures if isinstance(m, StreamingMeasure))

    def prepare(self, variant: Variant) -> None:
        """Compile what `run_points` needs for a variant; simulate one step of one point of each kind of model.

        Raises:
            UserError: a model's first step is no step; a measure does not make what it says that it makes.
        """
        self._try_models()
        results = self._simulate(variant, self.points(self.blocks()[0]), count=0)
        lengths = {dim: len(values) for dim, (values, _) in self.coordinates().items()}
        for measure, values in zip(self._streaming, results.values):
            declared = measure.variables(variant.model)
            expected = {name: tuple(lengths[dim] for dim in variable.dims) for name, variable in declared.items()}
            found = {name: array.shape[1:] for name, array in values.items()}
            if found != expected:
                raise UserError(
                    f"{type(measure).__name__}.finish makes {found}; expected what its variables() say: {expected}"
                )

    def _try_models(self) -> None:
        """Take a first step, and linearise if that is asked for, with each kind of model."""
        tried = {
            (type(v.model), json.dumps(v.model.options(), default=repr)): v for v in reversed(list(self.variants()))
        }
        for variant in tried.values():
            values = {name: v.flat[0] for name, v in self.all_values(variant).items()}
            engine.try_first_step(self.plan(variant), Network.of(variant.connectome), values)
            for measure in self.measures:
                if isinstance(measure, SpectralAbscissa):
                    try:
                        measure.compute(variant.model, [SimpleNamespace(**values)], variant.connectome)
                    except UserError:
                        raise
                    except Exception:  # of this one point, perhaps: its block will tell
                        continue

    def _simulate(
        self, variant: Variant, points: dict[str, np.ndarray], count: int, early_end: bool = True
    ) -> engine.Results:
        base = self.base_values(variant)
        points = points | {name: np.array([base[name]]) for name in self._varying & set(base)}
        network, plan = Network.of(variant.connectome), self.plan(variant, early_end)
        own = key(self.programs.of(plan.batch))
        return engine.simulate_batch(plan, network, points, count, self.queue_points, own)

    def run_block(self, block: Block, early_end: bool = True) -> dict[str, np.ndarray]:
        """Return every variable of a block as an array, the grid's dimensions first; see `run_points`."""
        found = self.run_points(self.variant_of(block), self.points(block), block.size, early_end)
        return {name: array.reshape(block.shape + array.shape[1:]) for name, array in found.items()}

    def run_points(
        self, variant: Variant, points: dict[str, np.ndarray], count: int, early_end: bool = True
    ) -> dict[str, np.ndarray]:
        """Return every variable of some points of a variant, the point first.

        Args:
            points: from `points`, of one block or of `queue_blocks` of them.
            count: how many points these are (a study without numeric axes has one, and no values).
            early_end: False runs every step of every point; it changes no bit of the result.
        """
        results = self._simulate(variant, points, count, early_end)
        found: dict[str, np.ndarray] = {}
        for streaming, values in zip(self._streaming, results.values):
            found |= {name + streaming.suffix: array for name, array in values.items()}
        for measure in self.measures:
            if isinstance(measure, SpectralAbscissa):
                found |= self._linear(measure, variant, points, count)
            elif isinstance(measure, SolvedMeasure):
                solved = measure.solve(self.trials(variant, points, count))
                found |= {name + measure.suffix: array for name, array in solved.items()}
        found[STATUS] = results.status
        dtypes = {STATUS: np.dtype("uint8")}
        return {name: np.asarray(array, dtypes.get(name, self.precision)) for name, array in found.items()}

    def _linear(
        self, measure: SpectralAbscissa, variant: Variant, points: dict[str, np.ndarray], count: int
    ) -> dict[str, np.ndarray]:
        base = self.base_values(variant)
        plain = {name: values for name, values in points.items() if name != NOISE}
        sets = [
            SimpleNamespace(**base, **{name: float(values[i]) for name, values in plain.items()}) for i in range(count)
        ]
        values = measure.compute(variant.model, sets, variant.connectome)
        return {name + measure.suffix: array for name, array in values.items()}

    def trials(self, variant: Variant, points: dict[str, np.ndarray], count: int) -> Trials:
        """Return what a solved measure gets of some points."""
        base = self.base_values(variant)
        varying = {name: np.full(count, base[name]) for name in self._varying & set(base)}
        return Trials(
            model=variant.model,
            connectome=variant.connectome,
            stimulus=variant.stimulus,
            points=points | varying,
            values=self.all_values(variant),
            fixed={name: value for name, value in base.items() if name not in varying},
            dt=self.dt,
            n_steps=self.n_steps,
            ceiling=self.ceiling,
            precision=self.precision,
            size=self.queue_points,
            programs=self.programs,
        )

    # What the result looks like.

    @functools.cached_property
    def variables(self) -> dict[str, Variable]:
        """The variables that the measures make, `status` apart."""
        model = next(self.variants()).model
        found: dict[str, Variable] = {}
        for measure in self.measures:
            for name, variable in measure.variables(model).items():
                if name + measure.suffix in (*found, *self.axes, *self.listed, STATUS):
                    raise UserError(
                        f'two measures make "{name + measure.suffix}" (or an axis has that name); '
                        f'give one a suffix: {type(measure).__name__}(..., suffix="_late")'
                    )
                unknown = set(variable.dims) - set(self.coordinates())
                if unknown:
                    raise UserError(
                        f'{type(measure).__name__}: "{name}" has the dimension "{min(unknown)}"; expected one of '
                        f"{', '.join(self.coordinates())}, or one that its coordinates() give"
                    )
                found[name + measure.suffix] = variable
        return found

    def coordinates(self) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        """Return values and attributes along each dimension that is not an axis of the grid."""
        connectome = next(self.variants()).connectome
        found = {AREA: (np.array(connectome.areas, dtype=object), {"long_name": "cortical area"})}
        for measure in self.measures:
            for name, (values, attrs) in measure.coordinates(connectome, self.dt, self.n_steps).items():
                if name in found and not np.array_equal(found[name][0], values):
                    raise UserError(
                        f'two measures have different values along "{name}"; '
                        f'give one a suffix: {type(measure).__name__}(..., suffix="_late")'
                    )
                found[name] = (values, attrs)
        return found

    def template(self) -> xr.Dataset:
        """Return the Dataset that the store starts from: all coordinates, no value computed (status 0)."""
        import dask.array as da
        import xarray as xr

        variant = next(self.variants())
        ds = xr.Dataset()
        for name in self.axes:
            attrs = {"long_name": name} | ({"units": "1"} if name in self.tables else {})
            ds.coords[name] = (name, self.labels(name), attrs)
        for name, (axis, values) in self.listed.items():
            values = values.astype(int if name == SEED else float)
            ds.coords[name] = (axis, values, self._attributes(name, variant))
        extra = self.coordinates()
        for name, (values, attrs) in extra.items():
            ds.coords[name] = (name, values, attrs)
        for measure in self.measures:
            ds = ds.assign_coords(measure.beside(variant.model))
        hierarchy = {"units": "1", "long_name": "position in the cortical hierarchy"}
        ds.coords["hierarchy"] = (AREA, variant.connectome.hierarchy, hierarchy)
        for name in self.derived:
            ds.coords[name] = (*self._derived_coordinate(name), self._attributes(name, variant))
        for name, variable in self.variables.items():
            shape = self.shape + tuple(len(extra[d][0]) for d in variable.dims)
            chunks = self.block_shape + shape[len(self.shape) :]
            attrs = {"long_name": variable.long_name, "units": variable.units}
            empty = da.full(shape, np.nan, dtype=self.precision, chunks=chunks)
            ds[name] = ((*self.axes, *variable.dims), empty, attrs)
        ds[STATUS] = (tuple(self.axes), da.zeros(self.shape, dtype="uint8", chunks=self.block_shape), STATUS_ATTRS)
        ds.attrs = {"title": self.name, "Conventions": "CF-1.11", "gbaexplore_recipe": json.dumps(self.recipe())}
        return ds

    def _derived_coordinate(self, name: str) -> tuple[list[str], np.ndarray]:
        """Return a derived parameter's dimensions and values: its numeric axes, and labels that make a difference."""
        found = [self.derived_values(variant)[name] for variant in self.variants()]
        counts = [len(labels) for labels in self.categorical.values()]
        values = np.stack([values for _, values in found]).reshape(*counts, *found[0][1].shape)
        dims = [*self.categorical, *found[0][0]]
        for axis in self.categorical:
            at = dims.index(axis)
            first = np.take(values, [0], axis=at)
            if np.array_equal(values, np.broadcast_to(first, values.shape)):
                values = first.squeeze(at)
                dims.remove(axis)
        return dims, values

    def _attributes(self, name: str, variant: Variant) -> dict[str, str]:
        if name == AMPLITUDE:
            return {"units": "Hz", "long_name": "stimulus amplitude"}
        if name == SEED:
            return {"units": "1", "long_name": "seed of the noise"}
        info = type(variant.model).parameters()[name]
        return {"units": info.units, "long_name": info.doc}

    def recipe(self) -> dict[str, Any]:
        """Return all that determines the numbers, as JSON data: two studies with one recipe give one result.

        Raises:
            UserError: a model or measure that can't be traced, or told from others.
        """
        study = self.pinned()
        axes: dict[str, Any] = {}
        for name in self.axes:
            if name in self.numeric:
                axes[name] = self.numeric[name].tolist()
            elif name in self.tables:
                axes[name] = self.tables[name].recipe()
            else:
                axes[name] = {
                    label: [_described(o) for o in things] for label, things in self.categorical[name].items()
                }
        variants, revisions = {}, {"engine": REVISIONS["engine"]}
        for variant in self.variants():
            # Derived values are a coordinate of the store, and may be many: a hash tells two apart.
            derived = {
                name: {"along": along, "sha256": hashlib.sha256(values.tobytes()).hexdigest()}
                for name, (along, values) in self.derived_values(variant).items()
            }
            variants[variant_name(variant.labels)] = {
                "model": _described(variant.model),
                "connectome": _described(variant.connectome),
                "stimulus": self._stimulus(variant),
                "parameters": self.base_values(variant) | {k: float(v) for k, v in self.fixed.items() if k == SEED},
                "derived": derived,
                "made": made(study, variant, revisions),
            }
        found = {
            "format": FORMAT,
            "name": self.name,
            "revisions": revisions,
            "axes": axes,
            # JSON objects have no order, but blocks do.
            "order": {"axes": list(self.axes), **{name: list(labels) for name, labels in self.categorical.items()}},
            "variants": variants,
            "measures": [measure.recipe() for measure in self.measures],
            "dt_s": self.dt,
            "duration_s": self.duration,
            "ceiling": self.ceiling,
            "precision": self.precision,
        }
        return json.loads(json.dumps(found, default=_plain))

    def _stimulus(self, variant: Variant) -> dict[str, Any]:
        """Return what identifies a stimulus: all levels and edges that the engine gets."""
        pieces = variant.stimulus.pieces(variant.connectome, self.dt, self.n_steps)
        return {**variant.stimulus.recipe(), "sha256": course_hash(*pieces)}

    def inputs(self) -> dict[str, xr.Dataset]:
        """Return the connectomes and stimuli as data, under the names that a store keeps them by."""
        found = {}
        for variant in self.variants():
            connectome, stimulus = variant.connectome, variant.stimulus
            found[input_name("connectomes", _described(connectome))] = connectome.to_dataset()
            course = dataset_of(stimulus, connectome, self.dt, self.n_steps)
            found[input_name("stimuli", json.loads(json.dumps(self._stimulus(variant), default=_plain)))] = course
        return found


def variant_name(labels: Mapping[str, str]) -> str:
    """Return what a recipe calls the combination of these labels."""
    return " ".join(f"{axis}={label}" for axis, label in labels.items()) or "all"


def _described(thing: Any) -> Any:
    if isinstance(thing, Connectome):
        return {"name": thing.name, "sha256": thing.content_hash}
    return thing.recipe()


def _plain(value: Any) -> Any:
    """Return something as JSON data: NumPy's numbers become plain, arrays and functions what tells them apart."""
    return value.item() if isinstance(value, np.generic) else {"hash": code_hash(value)}
