"""A dask worker's part: get the study, compute blocks, write them."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError, one_line
from gbaexplore.basics.places import place
from gbaexplore.identity.code import is_own
from gbaexplore.store import making, provenance, stores
from gbaexplore.store.recipe import identity
from gbaexplore.study.study import Study


class Source(NamedTuple):
    """How a worker gets the study: from this process, from its file (path and hash), or pickled."""

    key: str
    generation: str  # of the store
    block_shape: tuple[int, ...]
    queue: int  # points of a queue
    identity: str  # of the code that computes the numbers
    file: tuple[str, str] | None
    software: tuple[tuple[str, str], ...]  # versions that the worker must have too


class Outcome(NamedTuple):
    """The outcome of a block; `error` is one line, or None."""

    block: int
    points: int  # computed now
    seconds: float  # the block's share of the task's time
    error: str | None
    device: str  # that computed it


HERE: dict[str, Study] = {}
"""Studies of this process, which its threads need not load again."""


def source_of(study: Study, generation: str) -> Source:
    """Return a study's source for workers."""
    software, shape = tuple(_software().items()), (study.block_shape, study.queue_points)
    return Source(uuid.uuid4().hex, generation, *shape, _identity(study), study.source, software)


def _identity(study: Study) -> str:
    return hashlib.sha256(json.dumps(identity(study.recipe()), sort_keys=True).encode()).hexdigest()


def _software() -> dict[str, str]:
    """Return the versions that bits depend on, and Python's, which must match to unpickle."""
    found = provenance.software()
    return {
        "python": ".".join(found["python"].split(".")[:2]),
        **{name: found[name] for name in ("code", "gbaexplore", "numpy", "jax", "jaxlib", "zarr", "brainpy")},
    }


def pickled(study: Study) -> bytes:
    """Return a study pickled with the code of its file and of the files beside it, so that no worker needs them.

    Raises:
        UserError: something in it can't be sent.
    """
    import cloudpickle

    beside = [] if study.source is None else list(_modules_in(Path(study.source[0]).parent))
    for module in beside:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(study)
    except Exception as error:
        raise UserError(
            f"the study can't be sent to workers ({one_line(error)}); expected objects that pickle, or a study file "
            "in a folder that all workers see"
        ) from None
    finally:
        for module in beside:
            cloudpickle.unregister_pickle_by_value(module)


def _modules_in(folder: Path) -> Iterator[ModuleType]:
    # A process's own script may be loaded under two names; it goes by value anyway.
    own = {id(module): module for name, module in list(sys.modules.items()) if name not in ("__main__", "__mp_main__")}
    for module in own.values():
        file = getattr(module, "__file__", None)
        if file is not None and module.__name__ != "__main__" and is_own(module) and Path(file).is_relative_to(folder):
            yield module


@functools.lru_cache(maxsize=64)
def loaded(source: Source, sent: bytes | None) -> Study:
    """Return the study, loaded once in each worker process.

    Raises:
        UserError: this worker can't take part.
    """
    if source.key in HERE:
        return HERE[source.key]
    # One XLA thread for each of the worker's; XLA reads this when it starts, at the first computation.
    os.environ.setdefault("NPROC", "1")
    ours = _software()
    other = [f"{name} {ours[name]} instead of {version}" for name, version in source.software if ours[name] != version]
    if other:
        raise UserError(f"{_me()} has {', '.join(other)}; install the same versions there and here, and run again")
    study = (_from_file(source) or _unpickled(source, sent)).pinned()
    study = study.in_blocks(source.block_shape).in_queues(source.queue)
    # A long-lived worker may hold modules that have changed on disk since.
    if _identity(study) != source.identity:
        raise UserError(
            f"{_me()} has other code of the study's model, measures or what these use than this process; expected the "
            "same: start the worker again, and run again"
        )
    return study


def _from_file(source: Source) -> Study | None:
    """Return the study loaded from its file; None if the worker does not see the file."""
    from gbaexplore.study.file import load_study

    if source.file is None or not Path(source.file[0]).is_file():
        return None
    path, digest = source.file
    study = load_study(path)
    if study.source != (path, digest):
        raise UserError(f"{path} has changed since the run was started (as {_me()} sees it); run it again")
    return study


def _unpickled(source: Source, sent: bytes | None) -> Study:
    import cloudpickle

    if sent is None:
        name = source.file[0] if source.file else "the study"
        raise UserError(f"{_me()} does not see {name}; expected a study file in a folder that all workers see")
    return cloudpickle.loads(sent)


def _me() -> str:
    import distributed

    return f"the dask worker at {distributed.get_worker().address}"


def compute(source: Source, path: str, indices: Sequence[int], sent: bytes | None = None) -> list[Outcome]:
    """Compute the missing points of blocks as one queue, and write them.

    Args:
        sent: the pickled study, for a worker that does not see its file.

    Raises:
        UserError: this worker can't take part.
    """
    study, store, started = loaded(source, sent), place(path), time.perf_counter()
    if not making.made(store):
        raise UserError(f"{_me()} does not see {path}; expected a store in a folder that all workers see")
    device = provenance.device()
    # A worker may outlive its run, and must not write into a store of another grid then.
    with stores.bound(store, source.generation) as there:
        todo = {index: stores.unfinished(there, study.blocks()[index].slices) for index in indices}
    # Of a task that dask repeats, what its first worker has written is left.
    done: list[tuple[int, int, str | None]] = [(index, 0, None) for index, which in todo.items() if not which.any()]
    for index, which, found in _computed(study, {index: which for index, which in todo.items() if which.any()}):
        block, error = study.blocks()[index].slices, one_line(found) if isinstance(found, Exception) else None
        with stores.bound(store, source.generation) as there:
            if isinstance(found, Exception):  # another worker may have been quicker
                stores.mark_failed(there, block, which & stores.unfinished(there, block))
            else:
                stores.write_block(there, block, found, which)
        done.append((index, int(which.sum()), error))
    share = (time.perf_counter() - started) / max(1, sum(count for _, count, _ in done))
    return [Outcome(index, count, count * share, error, device) for index, count, error in done]


def _computed(
    study: Study, todo: dict[int, np.ndarray]
) -> Iterator[tuple[int, np.ndarray, dict[str, np.ndarray] | Exception]]:
    """Yield blocks by their numbers, masks of their points, and these points' variables or why there are none.

    Where some of the points raise, blocks are computed one by one, and labels of a block.
    """
    if not todo:
        return
    try:
        found = study.run_blocks([study.blocks()[index] for index in todo], list(todo.values()))
    except Exception as error:  # recorded with its message; other points go on
        smaller = [{index: which} for index, which in todo.items()]
        if len(todo) == 1:
            ((index, which),) = todo.items()
            apart = study.simulation.blocks.labels_apart(study.blocks()[index], which)
            smaller = [{index: mask} for _, mask in apart]
        if len(smaller) == 1:
            yield index, which, error
        for part in smaller if len(smaller) > 1 else ():
            yield from _computed(study, part)
        return
    yield from zip(todo, todo.values(), found)
