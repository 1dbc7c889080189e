"""Networks in NumPy, one step after another: nothing is shared with the package."""

import numpy as np


def integrated(net, start, sends, slope, dt, steps, velocity=None, heun=False):
    """The state after each step, (step, variable, area). Delays are interpolated, before t = 0 nothing moves.

    Args:
        start: (variable, area). sends: what leaves, (sent, area), of a state. slope: dz/dt of a state and what arrives.
    """
    n, z = len(net.areas), start
    found, sent = [], [sends(z)]
    lag = np.zeros((n, n)) if velocity is None else net.lengths_mm * 1e-3 / velocity / dt
    whole, part = np.floor(lag).astype(int), lag - np.floor(lag)
    for k in range(steps):
        if velocity is None:
            first = slope(z, sends(z) @ net.weights.T)
            ahead = z + dt * first
            z = z + dt / 2 * (first + slope(ahead, sends(ahead) @ net.weights.T)) if heun else ahead
        else:
            past = np.array(sent)
            j = np.arange(n)
            late = [past[np.maximum(k - whole - more, 0), :, j] for more in (0, 1)]  # (target, source, what)
            heard = late[0] * (1 - part)[..., None] + late[1] * part[..., None]
            z = z + dt * slope(z, np.einsum("ij,ijs->si", net.weights, heard))
        sent.append(sends(z))
        found.append(z)
    return np.array(found)
