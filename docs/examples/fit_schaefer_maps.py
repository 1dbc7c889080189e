"""The fit of fit_schaefer.py, with recurrence and NMDA current that follow two maps: myelin and the gradient of FC.

Seven numbers are free. cuBNM's tutorial reaches a goodness of 0.313 with two maps. It adds up a parameter's maps; here
their exponentials are multiplied, which keeps every area's values above 0.
"""

import dataclasses

import numpy as np
from fit_schaefer import HCP, study
from fit_schaefer import fit as same

from gbaexplore import CMAES, feedback_inhibition


def read_map(name):
    """Return a map of the package's, (area,), as z-scores."""
    return np.loadtxt(HCP.parent / "maps" / f"ctx_parc-schaefer-100_desc-{name}_zscore.txt")


MYELIN, GRADIENT = read_map("myelinmap"), read_map("fcgradient01")


def w(w0, w_by_myelin, w_by_gradient):
    """Return the recurrence of each area."""
    return w0 * np.exp(w_by_myelin * MYELIN + w_by_gradient * GRADIENT)


def J_N(J_N0, J_N_by_myelin, J_N_by_gradient):
    """Return the NMDA current of each area, nA."""
    return J_N0 * np.exp(J_N_by_myelin * MYELIN + J_N_by_gradient * GRADIENT)


slopes = ("w_by_myelin", "w_by_gradient", "J_N_by_myelin", "J_N_by_gradient")
fit = dataclasses.replace(
    same,
    study=dataclasses.replace(study, name="schaefer_maps"),
    free={"G": (0.001, 10.0), "w0": (0.0, 2.0), "J_N0": (0.001, 0.5), **dict.fromkeys(slopes, (-0.5, 0.5))},
    derived={"w": w, "J_N": J_N, "J": feedback_inhibition},
    optimiser=CMAES(population=24),
    seeds=2,
    budget=1200,
    name=None,
)
