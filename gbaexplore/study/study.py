"""Studies: a grid of labelled axes over one model, and the one crossing between labels and positions.

Labels become positions here, and only here; the engine sees arrays and knows no names. A study consists of frozen
parts, each of which checks itself when it is made.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import SEED, checked_seed
from gbaexplore.engine.plan import Plan, lanes_of, share_of
from gbaexplore.engine.products import may_differ
from gbaexplore.engine.programs import Programs
from gbaexplore.measures.across_seeds import AcrossSeeds
from gbaexplore.measures.base import Measure, Variable
from gbaexplore.models.base import Model
from gbaexplore.models.checks import checked_values
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus
from gbaexplore.stimuli.inputs import Inputs, inputs_given, joined
from gbaexplore.study.blocks import Block, Blocks, has_connectomes, joined_axes, most_points
from gbaexplore.study.computed import computed
from gbaexplore.study.grid import Grid, is_object
from gbaexplore.study.outputs import Outputs, measures_of
from gbaexplore.study.recipe import inputs, recipe
from gbaexplore.study.settings import Settings
from gbaexplore.study.simulation import Simulation
from gbaexplore.study.template import template
from gbaexplore.study.values import Values
from gbaexplore.study.variants import Variant, Variants, part_of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Study:
    """A grid of labelled axes over a model, with inputs and measures; checked when it is made.

    Args:
        name: names the store: letters, digits, "-", "_" and ".".
        model: the model, unless an axis gives it.
        axes: name -> numbers (a parameter of the model; "amplitude", the stimulus'; "seed", of noise) or
            name -> {label: connectome, stimulus or model, {parameter: value}, or a tuple of these} or
            parameter -> {label: value} or
            name -> pandas DataFrame, a table of points: a column for each of some parameters, a point a row.
        measures: what to record of each point.
        stimulus: unless an axis gives it; of several inputs {input: stimulus}, of which axes may give some.
        connectome: unless an axis gives it.
        fixed: parameter -> value at all points.
        derived: parameter -> function of other parameters (and of labels), by the names of its arguments; one called
            `net` gets the connectome. An axis, or a table's column, may be an argument alone and no parameter.
        dt: step, s.
        duration: of the run, s.
        ceiling: a point has "diverged", and ends, when the model's first observable has risen by more, in its unit.
        precision: "float32" or "float64", of states and results.
        noise: "shared" by all points of one seed, or "independent": no two points have the same.
        block_points: approximate number of points that are written together; chosen from work and memory if None.
            It changes no result; a store keeps the blocks it was made with.

    A value of `fixed`, of a label or of a function is a number, or a number for each area: in the connectome's order,
    or by name (mapping, Series, DataArray); a mapping's key `...` stands for all areas that it does not name.

    Raises:
        UserError: with what was found, what was expected and what to do.
    """

    name: str
    axes: Mapping[str, Any]
    measures: Sequence[Measure]
    model: Model | None = None
    stimulus: AbstractStimulus | Mapping[str, AbstractStimulus] | None = None
    connectome: Connectome | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    derived: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    dt: float = 2e-4
    duration: float = 10.0
    ceiling: float = 500.0
    precision: Literal["float32", "float64"] = "float32"
    noise: Literal["shared", "independent"] = "shared"
    block_points: int | None = None

    settings: Settings = field(init=False, repr=False)
    grid: Grid = field(init=False, repr=False)
    outputs: Outputs = field(init=False, repr=False)
    values: Values = field(init=False, repr=False)
    _blocks: Blocks = field(init=False, repr=False)
    _programs: Programs | None = field(init=False, repr=False, default=None)
    _recipe: Any = field(init=False, repr=False, default=None)  # of a pinned study
    source: tuple[str, str] | None = field(init=False, repr=False, default=None)
    """Path and SHA-256 of the file that the study was loaded from; None without a file."""

    def __post_init__(self) -> None:
        measures = measures_of(self.measures)
        settings = Settings(**{f.name: getattr(self, f.name) for f in dataclasses.fields(Settings)})
        grid = Grid.of(self.axes)
        variants = Variants(grid, self.model, self.connectome, self.stimulus)
        outputs = Outputs(measures, grid, variants.first, settings.dt, settings.n_steps)
        values = Values(grid, variants, self.fixed, self.derived, settings.noise)
        vars(self).update(dt=settings.dt, duration=settings.duration, ceiling=settings.ceiling, measures=measures)
        vars(self).update(settings=settings, grid=grid, outputs=outputs, values=values)
        for variant in variants:
            checked_values(variant.model, values.every(variant))
            for measure in measures:
                measure.check(variant.model, values.every(variant))
        _check_seeds(values, measures)
        areas, size = len(self.areas), outputs.bytes_per_point(settings.precision)
        blocks = Blocks(grid, most_points(size), lanes_of(areas), wanted_points=settings.block_points)
        vars(self).update(_blocks=blocks)
        late = any([self.plan(variant).batch.late for variant in variants])
        joined = joined_axes(grid, blocks.lanes, shared=not late and may_differ(areas, settings.precision))
        if has_connectomes(grid, joined):  # a queue holds the weights of as many
            size += areas**2 * np.dtype(settings.precision).itemsize
        vars(self).update(_blocks=dataclasses.replace(blocks, most_points=most_points(size), joined=joined))

    # The grid.

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis, in the order of `axes`."""
        return self.grid.shape

    @property
    def numeric(self) -> dict[str, np.ndarray]:
        """The axes of numbers."""
        return self.grid.numeric

    @property
    def categorical(self) -> dict[str, dict[str, tuple[Any, ...]]]:
        """The axes of labels, each with the objects that a label stands for."""
        return self.grid.categorical

    @property
    def tables(self) -> dict[str, Any]:
        """The axes that are tables."""
        return self.grid.tables

    @property
    def listed(self) -> dict[str, tuple[str, np.ndarray]]:
        """Parameter -> its axis and the values along it, for numeric axes and for tables' columns."""
        return self.grid.listed

    def labels(self, axis: str) -> np.ndarray:
        """Return the labels along an axis: numbers or words."""
        return self.grid.labels(axis)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    @property
    def n_steps(self) -> int:
        """Number of steps of a run."""
        return self.settings.n_steps

    @property
    def areas(self) -> tuple[str, ...]:
        """Names of the areas, in the order of the connectome."""
        return self.outputs.variant.connectome.areas

    def variants(self) -> Iterator[Variant]:
        """Yield the objects of each combination of categorical labels."""
        return iter(self.values.variants)

    # Parameters.

    @property
    def noisy(self) -> bool:
        """Whether the model draws random numbers at any point of the study."""
        return self.values.noisy

    def points(self, block: Block) -> dict[str, np.ndarray]:
        """Return the values of each parameter that varies in a block: see `Values.points`."""
        return self.simulation.points(block)

    def points_at(self, variant: Variant, at: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the same for points anywhere between the axes' values; see `Values.points_at`."""
        return self.values.points_at(variant, at)

    # Blocks.

    @property
    def block_shape(self) -> tuple[int, ...]:
        """Number of values of each axis in a block."""
        return self._blocks.shape

    @property
    def queue_blocks(self) -> int:
        """Largest number of blocks in a queue."""
        return self._blocks.queue_blocks

    @property
    def fewest_blocks(self) -> int:
        """Number of blocks below which a queue has empty lanes."""
        return self._blocks.fewest_blocks

    @property
    def queue_points(self) -> int:
        """Number of points to which a queue's arrays are padded."""
        return self._blocks.queue_points

    def in_blocks(self, shape: tuple[int, ...]) -> Study:
        """Return a copy with blocks of another shape, that of an existing store."""
        return self._with(_blocks=dataclasses.replace(self._blocks, given_shape=shape, given_queue=None))

    def in_queues(self, points: int) -> Study:
        """Return a copy whose queues hold up to `points` points, fewer if memory is short; they need not be blocks."""
        return self._with(_blocks=dataclasses.replace(self._blocks, given_queue=points))

    def shared_by(self, threads: int) -> Study:
        """Return a copy whose queues keep so many threads busy, and their lanes full."""
        share = share_of(min(self.size // self._blocks.groups, -(-self.size // threads)))
        if share is None or share < math.prod(self.block_shape):
            return self
        batches = (self.plan(variant).batch for variant in self.variants())
        return self if any(batch.refill or batch.late for batch in batches) else self.in_queues(share)

    def blocks(self) -> list[Block]:
        """Return the blocks of the grid, in C order."""
        return self._blocks.all

    def variant_of(self, block: Block) -> Variant:
        """Return the variant of a block that has one label of each axis."""
        return self.simulation.variant_of(block)

    # Running.

    def pinned(self) -> Study:
        """Return a copy for one run: the code that its model and measures reach is examined once, now.

        So what is computed and what identifies it can't differ. A study itself is examined each time, because a
        notebook may have changed a constant or a function since.
        """
        return self if self._programs is not None else self._with(_programs=Programs())

    def _with(self, **parts: Any) -> Study:
        other = copy.copy(self)
        vars(other).update(parts)
        return other

    def on_grid_of(self, ds: xr.Dataset) -> Study:
        """Return a copy with the numbers of a store's axes and tables, and its own labels."""
        import pandas as pd

        axes = dict(self.axes)
        for name in self.axes:
            if name in self.grid.numeric:
                axes[name] = ds[name].values
            elif name in self.grid.tables:
                columns = {column: ds[column].values for column in self.grid.tables[name].columns}
                axes[name] = pd.DataFrame(columns, index=ds[name].values)
        return self._but(axes=axes)

    def at(self, labels: Mapping[str, Any], numbers: Mapping[str, float]) -> Study:
        """Return a copy without some axes, whose points are those at the given label of each of them.

        Args:
            numbers: parameters of these axes that have another number than the label's.
        """
        fixed, parts = dict(self.fixed), dict[str, list[Any]]()
        for axis, label in labels.items():
            if axis in self.categorical:
                for thing in filter(is_object, self.categorical[axis][label]):
                    parts.setdefault(part_of(thing), []).append(thing)
                fixed |= self.values.variants.labelled[axis][label]
            elif axis in self.grid.tables:
                row = list(self.labels(axis)).index(label)
                fixed |= {name: values[row] for name, values in self.grid.tables[axis].columns.items()}
            else:
                fixed[axis] = label
        if "stimulus" in parts:  # some of several inputs, perhaps, besides the study's own
            own = inputs_given(self.stimulus)
            parts["stimulus"] = joined(parts["stimulus"] + [own] * isinstance(own, Inputs))
        found = {name: things[-1] for name, things in parts.items()}
        fixed |= numbers
        if fixed.get(SEED) == 0:  # the same as none, which may be all that a study without noise takes
            del fixed[SEED]
        return self._but(axes={axis: v for axis, v in self.axes.items() if axis not in labels}, fixed=fixed, **found)

    def _but(self, **parts: Any) -> Study:
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        return Study(**{**given, **parts})

    @property
    def simulation(self) -> Simulation:
        """The simulation of the study's points."""
        return Simulation(self.settings, self.values, self.outputs, self._blocks, self._programs or Programs())

    def plan(self, variant: Variant) -> Plan:
        """Return the engine's plan for the points of a variant."""
        return self.simulation.plan(variant)

    def prepare(self, variant: Variant) -> None:
        """Compile the programs of `run_points` for a variant; see `Simulation.prepare`."""
        self.simulation.prepare(variant)

    def prepare_queue(self, blocks: Sequence[Block]) -> None:
        """Compile the programs of `run_blocks` for the blocks of a queue; see `Simulation.prepare_queue`."""
        self.simulation.prepare_queue(blocks)

    def check(self, block: Block) -> None:
        """Simulate a first step, and trace the programs of a block's first label; see `Simulation.check`."""
        first, _ = self._blocks.parts_of(block)[0]
        self.simulation.check(self.variant_of(first))

    def run_block(self, block: Block) -> dict[str, np.ndarray]:
        """Return every variable of a block, the grid's dimensions first; see `run_blocks`."""
        return self.simulation.run_block(block)

    def run_blocks(self, blocks: Sequence[Block], masks: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Return, for each block, every variable of its points in a mask, (point, ...)."""
        return self.simulation.run_blocks(blocks, masks)

    def run_points(self, variant: Variant, points: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        """Return every variable of points of a variant, (point, ...); see `Simulation.run_points`."""
        return self.simulation.run_points(variant, points, count)

    def compute(self) -> xr.Dataset:
        """Return the whole result without a store: the same bits as the finished store's Dataset.

        The result is held in memory, and a block per core beside it. An interruption loses everything, and a point
        that raises ends it: use `run` for long work.

        Raises:
            UserError: a model or measure that can't be simulated; more results than memory.
        """
        pinned = self.pinned()
        return computed(pinned.simulation, pinned.recipe())

    # The result's form.

    @property
    def variables(self) -> dict[str, Variable]:
        """The variables of the measures, without `status`."""
        return self.outputs.variables

    def coordinates(self) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        """Return the coordinate values and attributes of each dimension that is not an axis of the grid."""
        return self.outputs.coordinates()

    def template(self) -> xr.Dataset:
        """Return the empty Dataset that a store starts from: all coordinates, no value computed (status 0)."""
        return template(self.simulation, self.recipe())

    def recipe(self) -> dict[str, Any]:
        """Return everything that determines the numbers, as JSON data; equal recipes give equal results.

        Raises:
            UserError: a model or measure that can't be traced or identified.
        """
        if self._programs is None:
            return recipe(self.simulation)
        if self._recipe is None:
            vars(self).update(_recipe=recipe(self.simulation))
        return self._recipe

    def inputs(self) -> dict[str, xr.Dataset]:
        """Return the connectomes and stimuli as Datasets, by the names of their groups in a store."""
        return inputs(self.simulation, self.recipe())


def _check_seeds(values: Values, measures: Sequence[Measure]) -> None:
    """Refuse seeds that are not whole numbers, and seeds of a study in which nothing is random."""
    listed = values.grid.listed[SEED][1] if SEED in values.grid.listed else ()
    given = [*listed, *([values.fixed[SEED]] if SEED in values.fixed else [])]
    averages = any(isinstance(measure, AcrossSeeds) for measure in measures)
    if (given or averages) and not values.noisy:
        raise UserError(
            f"{'AcrossSeeds' if averages else 'seed'} is given, but nothing in the study is random; expected a "
            "parameter such as noise above 0, a random start, or neither"
        )
    if given and averages:
        raise UserError("AcrossSeeds takes seeds of its own; expected no seed among axes and fixed beside it")
    for seed in given:
        checked_seed(float(seed))
    _check_repeats(values)


def _check_repeats(values: Values) -> None:
    """Refuse rows of a table that are the same point, and so would have the same noise."""
    for axis, listed in values.grid.tables.items() if values.noisy else ():
        _, first, counts = np.unique(
            np.stack(list(listed.columns.values()), axis=1), axis=0, return_index=True, return_counts=True
        )
        if (counts > 1).any():
            row = listed.labels[first[counts > 1].min()]
            raise UserError(
                f'axis "{axis}" is a table that has the values of row {row} more than once, which would have the same '
                f'noise; expected each point once: a column "{SEED}" tells repeats apart'
            )
