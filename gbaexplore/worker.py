"""What a dask worker does: get the study, compute blocks, write them."""

from __future__ import annotations

import functools
import time
import traceback
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gbaexplore import store as stores
from gbaexplore.errors import UserError
from gbaexplore.study import Block, Study


class Source(NamedTuple):
    """How a worker gets the study: its file (by path and hash), or the pickled study itself."""

    key: str
    generation: str  # of the store that it is for
    block_shape: tuple[int, ...]
    file: tuple[str, str] | None
    pickled: bytes | None


class Outcome(NamedTuple):
    """What became of a block; `error` is one line, or None."""

    block: int
    points: int  # computed now
    seconds: float  # its share of the task's
    error: str | None


HERE: dict[str, Study] = {}
"""Studies of this process: its threads need not load them again."""


def source_of(study: Study, generation: str, in_process: bool) -> Source:
    """Return how workers get a study."""
    key = uuid.uuid4().hex
    if in_process:
        return Source(key, generation, study.block_shape, None, None)
    if study.source is not None:
        return Source(key, generation, study.block_shape, study.source, None)
    import cloudpickle

    return Source(key, generation, study.block_shape, None, cloudpickle.dumps(study))


@functools.lru_cache(maxsize=4)
def _load(source: Source) -> Study:
    """Return the study, loaded once in each worker process."""
    if source.key in HERE:
        return HERE[source.key]
    if source.pickled is not None:
        import cloudpickle

        return cloudpickle.loads(source.pickled)
    from gbaexplore.studyfile import load_study

    assert source.file is not None  # it is one of the three
    path, digest = source.file
    study = load_study(path)
    assert study.source is not None  # load_study sets it
    if study.source[1] != digest:
        raise UserError(f"{path} has changed since the run was started; run it again")
    return study.in_blocks(source.block_shape)


def compute(source: Source, path: str, indices: Sequence[int]) -> list[Outcome]:
    """Compute what is missing of some blocks of one variant, as one queue of points, and write them."""
    study, store, started = _load(source), Path(path), time.perf_counter()
    # A worker may outlive its run: what it then writes must not land in a store of another grid.
    if stores.generation(store) != source.generation:
        raise UserError(f"{path} has been replaced since the run was started; run it again")
    blocks = [study.blocks()[index] for index in indices]
    todo = [stores.unfinished(store, block.slices) for block in blocks]
    try:
        found = simulated(study, blocks, todo)
    except Exception as error:  # recorded with its message; the other blocks go on
        if len(indices) > 1:
            return [outcome for index in indices for outcome in compute(source, path, [index])]
        stores.mark_failed(store, blocks[0].slices, todo[0])
        return [Outcome(indices[0], int(todo[0].sum()), time.perf_counter() - started, one_line(error))]
    for block, which, arrays in zip(blocks, todo, found):
        stores.write_block(store, block.slices, arrays, which)
    counts = [int(which.sum()) for which in todo]
    share = (time.perf_counter() - started) / max(1, sum(counts))
    return [Outcome(index, count, count * share, None) for index, count in zip(indices, counts)]


def simulated(study: Study, blocks: list[Block], todo: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return, for each block, the variables of its points that are to do, (point, ...)."""
    chosen = [which.ravel() for which in todo]
    parts = [study.points(block) for block in blocks]
    points = {name: np.concatenate([p[name][c] for p, c in zip(parts, chosen)]) for name in parts[0]}
    ends = np.cumsum([c.sum() for c in chosen])
    found = study.run_points(study.variant_of(blocks[0]), points, int(ends[-1]))
    split = {name: np.split(array, ends[:-1]) for name, array in found.items()}
    return [{name: pieces[i] for name, pieces in split.items()} for i in range(len(blocks))]


def one_line(error: BaseException) -> str:
    """Say what was raised and in which line of whose code: the last frame outside installed packages."""
    text = " ".join(str(error).split())[:300]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    at = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{at}"
