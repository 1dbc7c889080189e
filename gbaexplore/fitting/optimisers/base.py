"""What every optimiser does: propose points of the unit cube, and hear their losses."""

from __future__ import annotations

import dataclasses
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from gbaexplore.basics.numbers import whole_number


class Told(NamedTuple):
    """What an optimiser hears of the points that it proposed."""

    loss: np.ndarray  # (point,), infinite where a point has none, as it diverged
    residuals: np.ndarray | None = None  # (point, residual), if `needs_residuals`; their squares sum up to the loss
    jacobian: np.ndarray | None = None  # (point, residual, parameter), if the study measures sensitivities


Search: TypeAlias = Generator[np.ndarray, Told, None]
"""A generator that yields proposals, (point, parameter) from 0 to 1, and is sent what is `Told` of them."""


@dataclass(frozen=True, kw_only=True)
class Optimiser(ABC):
    """The base class of optimisers; one of your own has a `search`, a generator of proposals.

    A search may use no random numbers but those of `rng`, and neither clock nor budget: it is run again from its
    start, with the losses that the store holds, whenever a fit goes on.

    Args:
        restarts: number of searches side by side, each from a place of its own.
    """

    restarts: int = 1

    needs_residuals: ClassVar[bool] = False
    """True if it needs the residuals of a sum of squares."""

    def __post_init__(self) -> None:
        whole_number(self.restarts, f"{type(self).__name__}(restarts)", 1)

    @abstractmethod
    def search(self, parameters: int, start: np.ndarray, rng: np.random.Generator) -> Search:
        """Yield proposals until it has converged.

        Args:
            parameters: number of free parameters.
            start: (parameter,) where to begin.
            rng: of this search alone.
        """

    def check(self) -> None:  # noqa: B027 - nothing to check is the rule
        """Raise UserError if it can't be used here, as its package is missing."""

    def recipe(self) -> dict[str, Any]:
        """Return its identity, as JSON data."""
        return {"kind": type(self).__name__, **dataclasses.asdict(self)}


def finite(losses: np.ndarray, worst: float) -> np.ndarray:
    """Return losses with numbers, above all others, in the place of infinite ones."""
    known = losses[np.isfinite(losses)]
    top = max([worst, *known.tolist()], default=0.0) if np.isfinite(worst) else max(known.tolist(), default=0.0)
    return np.where(np.isfinite(losses), losses, top + abs(top) + 1.0)


class _Stopped(BaseException):
    """A search is not asked for more."""


def by_calls(run: Callable[[Callable[[np.ndarray], Told]], None]) -> Search:
    """Turn a function that calls for what is told of points into a search that yields them.

    The function has a thread of its own, which waits while points are evaluated.
    """
    asked: queue.Queue[Any] = queue.Queue()
    answers: queue.Queue[Any] = queue.Queue()

    def told(points: np.ndarray) -> Told:
        asked.put(points)
        answer = answers.get()
        if answer is None:
            raise _Stopped
        return answer

    def work() -> None:
        try:
            run(told)
            asked.put(None)
        except _Stopped:
            pass
        except BaseException as error:  # raised again by the generator
            asked.put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        while (found := asked.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            answers.put((yield found))
    finally:
        answers.put(None)
