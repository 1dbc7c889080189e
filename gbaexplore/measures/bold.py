"""BOLD: the signal of functional MRI, from what drives the blood flow of each area."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.numbers import number
from gbaexplore.measures.signals import Signal

_NAMES = ("kappa", "gamma", "tau", "alpha", "rho", "V0", "k1", "k2", "k3")
BALLOONS: dict[str, dict[str, float]] = {
    # Friston et al. (2003), NeuroImage 19:1273-1302; with these numbers Deco et al. (2013, 2014) too.
    "friston2003": dict(
        kappa=0.65, gamma=0.41, tau=0.98, alpha=0.32, rho=0.34, V0=0.02, k1=7 * 0.34, k2=2.0, k3=2 * 0.34 - 0.2
    ),
    # Stephan et al. (2007), NeuroImage 38:387-401, at 1.5 T with TE = 40 ms and as much signal from within vessels as
    # from around them (epsilon = 1): k1 = 4.3 * 40.3 Hz rho TE, k2 = epsilon * 25 Hz rho TE, k3 = 1 - epsilon. The
    # numbers are those of SPM12.
    "stephan2007": dict(
        kappa=0.64, gamma=0.32, tau=2.0, alpha=0.32, rho=0.4, V0=0.04, k1=4.3 * 40.3 * 0.4 * 0.04, k2=25 * 0.4 * 0.04,
        k3=0.0,
    ),
}  # fmt: skip
"""Published parameters: kappa, gamma in 1/s, tau in s, the others without unit."""


class _Blood(NamedTuple):
    """Changes from rest, which float32 resolves: of signal, flow, volume and deoxyhemoglobin."""

    s: Any
    f: Any
    v: Any
    q: Any


@dataclass(frozen=True)
class BOLD(Signal):
    """The BOLD signal of an observable z by the Balloon-Windkessel model, as a fraction of the signal at rest.

        ds/dt = z - kappa s - gamma (f - 1)        df/dt = s
        tau dv/dt = f - v^(1/alpha)                tau dq/dt = f (1 - (1 - rho)^(1/f)) / rho - q v^(1/alpha - 1)
        BOLD = V0 (k1 (1 - q) + k2 (1 - q/v) + k3 (1 - v))

    Blood starts at rest, z = 0: begin windows after some 20 s. z is the observable itself, its rest included.

    Args:
        of: the observable, such as a gating variable. Flow grows by z / gamma: rates in Hz have to be scaled.
        parameters: "friston2003" or "stephan2007", or all nine by their names.
        linear: with the equations linearised at rest, the first-order Volterra kernel of the model: cheaper, and right
            for small changes.

    Raises:
        UserError: unknown parameters, or values that make no sense.
    """

    parameters: str | Mapping[str, float] = "friston2003"
    linear: bool = False

    name: ClassVar[str] = "bold"
    long_name: ClassVar[str] = "BOLD"
    units: ClassVar[str] = "1"
    every: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.parameters
        if isinstance(given, str):
            if given not in BALLOONS:
                raise UserError(unknown(f'BOLD(parameters="{given}"): not known', given, BALLOONS, "Known"))
            return
        if not isinstance(given, Mapping) or set(given) != set(_NAMES):
            raise UserError(
                f"BOLD(parameters={given!r}): expected one of {', '.join(BALLOONS)}, or {', '.join(_NAMES)}"
            )
        for name in _NAMES:
            if number(given[name], f"{name} of BOLD") < 0 or (given[name] == 0 and name in ("tau", "alpha", "rho")):
                raise UserError(f"{name} of BOLD = {given[name]}; expected a number above 0")
        if given["rho"] >= 1:
            raise UserError(f"rho of BOLD = {given['rho']}; expected a share below 1")

    @property
    def balloon(self) -> Mapping[str, float]:
        """The parameters, by their names."""
        return BALLOONS[self.parameters] if isinstance(self.parameters, str) else self.parameters

    def start(self, areas: int) -> Any:
        return _Blood(*(jnp.zeros(areas) for _ in _Blood._fields))

    def advanced(self, x: Any, mean: Any, h: float) -> Any:
        slope = self._linear if self.linear else self._derivative
        return self.integrated(lambda x: slope(x, mean), x, h)

    def _derivative(self, x: _Blood, z: Any) -> _Blood:
        p = self.balloon
        # Written in changes from rest, without differences of nearly equal numbers.
        w = jnp.expm1((1 / p["alpha"] - 1) * jnp.log1p(x.v))  # v^(1/alpha - 1) - 1
        e = jnp.expm1(-math.log1p(-p["rho"]) * x.f / (1 + x.f))  # (1 - rho)^(1/f - 1) - 1
        taken_up = x.f - (1 + x.f) * (1 - p["rho"]) * e / p["rho"]
        return _Blood(
            s=z - p["kappa"] * x.s - p["gamma"] * x.f,
            f=x.s,
            v=(x.f - (w + x.v + w * x.v)) / p["tau"],
            q=(taken_up - (w + x.q + w * x.q)) / p["tau"],
        )

    def _linear(self, x: _Blood, z: Any) -> _Blood:
        p = self.balloon
        taken_up = 1 + (1 - p["rho"]) * math.log1p(-p["rho"]) / p["rho"]
        return _Blood(
            s=z - p["kappa"] * x.s - p["gamma"] * x.f,
            f=x.s,
            v=(x.f - x.v / p["alpha"]) / p["tau"],
            q=(taken_up * x.f - (1 / p["alpha"] - 1) * x.v - x.q) / p["tau"],
        )

    def value(self, x: Any) -> Any:
        p = self.balloon
        ratio = (x.v - x.q) / (1 if self.linear else 1 + x.v)  # 1 - q/v
        return p["V0"] * (-p["k1"] * x.q + p["k2"] * ratio - p["k3"] * x.v)


@dataclass(frozen=True)
class DoubleGamma(Signal):
    """An observable convolved with the double gamma function that general linear models of fMRI use (SPM's, area 1).

    h(t) = 6/5 (g(t; 6) - g(t; 16) / 6) with g(t; n) = t^(n - 1) e^-t / (n - 1)!, t in s: a peak after 5 s and an
    undershoot after 15 s (Friston et al. 1998, NeuroImage 7:30-40). Linear: the signal has the observable's unit, and
    no scale of its own.

    Args:
        of: the observable.
    """

    name: ClassVar[str] = "hrf"
    long_name: ClassVar[str] = "hemodynamic response"
    units: ClassVar[str] = "1"
    every: ClassVar[float] = 1.0

    def start(self, areas: int) -> Any:
        return tuple(jnp.zeros(areas) for _ in range(16))

    def advanced(self, x: Any, mean: Any, h: float) -> Any:
        # Each stage follows the one before it with a time constant of 1 s: the n-th has the response g(t; n).
        return self.integrated(lambda x: tuple(before - own for before, own in zip((mean, *x[:-1]), x)), x, h)

    def value(self, x: Any) -> Any:
        return 1.2 * (x[5] - x[15] / 6)
