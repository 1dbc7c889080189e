"""The same simulation as one writes it in JAX without this package: jit(vmap(one whole trajectory)), streaming.

Both functions take the map's steps from the pulse's onset on, in changes from rest, float32, and keep the peak of
E in each area and its step. `straightforward` is what one writes first: each point's long-range weights,
muEE * fln, and the equations as they stand. `improved` knows the two tricks that are open to it: muEE as a number
in front of the shared product, and one product a step, kept for the next step's E.
"""

import jax
import jax.numpy as jnp

from gbaexplore import ThresholdLinear

M = ThresholdLinear()  # the parameters' values
DT = 2e-4  # s
PULSE_STEPS, STEPS = 1250, 15000


def straightforward(muEE, omegaEI, hierarchy, fln, pulse):
    """Return the peak of E in each area, and its step; `pulse` is (area,)."""
    gain = 1 + M.eta * hierarchy
    to_E, to_I = muEE * fln, M.muIE * fln

    def step(k, carry):
        E, I, peak, when = carry
        stimulus = jnp.where(k < PULSE_STEPS, pulse, 0)
        IE = M.betaE * (gain * (M.omegaEE * E + to_E @ E) - omegaEI * I) + stimulus
        E = E + DT / M.tauE * (-E + jnp.maximum(IE, 0))
        II = M.betaI * (gain * (M.omegaIE * E + to_I @ E) - M.omegaII * I)
        I = I + DT / M.tauI * (-I + jnp.maximum(II, 0))
        return E, I, jnp.maximum(peak, E), jnp.where(peak < E, k, when)

    zero = jnp.zeros_like(hierarchy)
    _, _, peak, when = jax.lax.fori_loop(0, STEPS, step, (zero, zero, zero, jnp.zeros(zero.shape, jnp.int32)))
    return peak, when


def improved(muEE, omegaEI, hierarchy, fln, pulse):
    """Return the peak of E in each area, and its step; `pulse` is (area,)."""
    gain = 1 + M.eta * hierarchy

    def step(k, carry):
        E, I, far, peak, when = carry
        stimulus = jnp.where(k < PULSE_STEPS, pulse, 0)
        IE = M.betaE * (gain * (M.omegaEE * E + muEE * far) - omegaEI * I) + stimulus
        E = E + DT / M.tauE * (-E + jnp.maximum(IE, 0))
        far = fln @ E
        II = M.betaI * (gain * (M.omegaIE * E + M.muIE * far) - M.omegaII * I)
        I = I + DT / M.tauI * (-I + jnp.maximum(II, 0))
        return E, I, far, jnp.maximum(peak, E), jnp.where(peak < E, k, when)

    zero = jnp.zeros_like(hierarchy)
    *_, peak, when = jax.lax.fori_loop(0, STEPS, step, (zero, zero, zero, zero, jnp.zeros(zero.shape, jnp.int32)))
    return peak, when


def batched(trajectory):
    """Return a trajectory's jit(vmap) over points."""
    return jax.jit(jax.vmap(trajectory, in_axes=(0, 0, None, None, None)))
