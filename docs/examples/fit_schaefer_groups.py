"""The fit of fit_schaefer.py, with recurrence and NMDA current of its own in each of the seven networks of Yeo et al.

Fifteen numbers are free. cuBNM's tutorial reaches a goodness of 0.351 so.
"""

import dataclasses

from fit_schaefer import HCP, areas, study
from fit_schaefer import fit as same

from gbaexplore import CMAES, ByGroup, feedback_inhibition

NAMES = ("visual", "somatomotor", "dorsal", "ventral", "limbic", "control", "default")

numbers = (HCP.parent / "maps" / "ctx_parc-schaefer-100_desc-yeo7.txt").read_text().split()
networks = {name: [area for area, own in zip(areas, numbers) if own == str(i)] for i, name in enumerate(NAMES)}
fit = dataclasses.replace(
    same,
    study=dataclasses.replace(study, name="schaefer_groups"),
    free={"G": (0.001, 10.0), "w": ByGroup(networks, (0.0, 2.0)), "J_N": ByGroup(networks, (0.001, 0.5))},
    derived={"J": feedback_inhibition},
    optimiser=CMAES(population=24),
    seeds=2,
    budget=720,
    name=None,
)
