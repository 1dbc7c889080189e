"""Least squares in a trust region (Branch, Coleman & Li, 1999, SIAM J. Sci. Comput. 21:1-23), by SciPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import number
from gbaexplore.fitting.optimisers.base import Optimiser, Search, Told, by_calls


@dataclass(frozen=True, kw_only=True)
class LeastSquares(Optimiser):
    """Least squares: for a loss of `SumOfSquares`, smooth, with few evaluations; each search finds a local optimum.

    Where the study measures `Sensitivity` of what is fitted with respect to all free parameters, its derivatives are
    taken; else differences to points beside, all in one batch.

    Args:
        restarts: number of searches side by side, each from a place of its own.
        step: of the differences, as a share of each range.
        tolerance: a search ends once it moves by less than this share of the ranges, or the loss falls by less than
            this share.

    Raises:
        UserError: a step or tolerance that is not above 0.
    """

    step: float = 1e-3
    tolerance: float = 1e-6

    needs_residuals: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("step", "tolerance"):
            if number(getattr(self, name), f"LeastSquares({name})") <= 0:
                raise UserError(f"LeastSquares({name}={getattr(self, name)!r}): expected a number above 0")

    def search(self, parameters: int, start: np.ndarray, rng: np.random.Generator) -> Search:
        from scipy.optimize import least_squares

        def run(told: Callable[[np.ndarray], Told]) -> None:
            known: dict[bytes, tuple[np.ndarray, np.ndarray | None]] = {}

            def residuals(at: np.ndarray) -> np.ndarray:
                found = told(at[None])
                assert found.residuals is not None  # as it needs them
                own = np.where(np.isfinite(found.residuals[0]), found.residuals[0], np.inf)
                known[at.tobytes()] = own, None if found.jacobian is None else found.jacobian[0]
                return own

            def jacobian(at: np.ndarray) -> np.ndarray:
                own, slopes = known[at.tobytes()]
                if slopes is not None:
                    return slopes
                steps = np.where(at + self.step <= 1.0, self.step, -self.step)
                beside = told(at + np.diag(steps)).residuals
                assert beside is not None
                return np.nan_to_num((beside - own).T / steps, nan=0.0, posinf=0.0, neginf=0.0)

            tolerance = dict.fromkeys(("xtol", "ftol", "gtol"), self.tolerance)
            if np.isfinite(residuals(start)).all():
                least_squares(residuals, start, jacobian, bounds=(0.0, 1.0), method="trf", **tolerance)

        return by_calls(run)
