"""A fit that has to find what is known: the input to all areas, its slope along the hierarchy, their coupling.

The data are mean activities of the 29 areas that the model made with base = 1.4, slope = 0.5 and muEE = 3, to four
digits. The study is a grid over two of them. `gbaexplore fit wilson_cowan_means` finds all three.
"""

import dataclasses

import numpy as np

from gbaexplore import CMAES, Fit, Mean, Study, SumOfSquares, WilsonCowan, load_connectome, plots

DATA = {
    "V1": 0.2363, "V2": 0.2542, "V4": 0.2873, "DP": 0.2904, "MT": 0.2833, "8m": 0.289, "5": 0.2914, "8l": 0.2916,
    "TEO": 0.2815, "2": 0.2543, "F1": 0.2904, "STPc": 0.2796, "7A": 0.2537, "46d": 0.3135, "10": 0.2694,
    "9/46v": 0.2583, "9/46d": 0.304, "F5": 0.2684, "TEpd": 0.2569, "PBr": 0.2795, "7m": 0.2623, "7B": 0.2844,
    "F2": 0.2689, "STPi": 0.2994, "ProM": 0.2737, "F7": 0.2791, "8B": 0.299, "STPr": 0.2947, "24c": 0.2697,
}  # fmt: skip


def input_of(base, slope, net):
    """Return the input to each area."""
    return base * (1 + slope * net.values["hierarchy"])


LOSS = SumOfSquares("mean_E", DATA, scale=0.005)

study = Study(
    name="wilson_cowan_means",
    model=WilsonCowan(method="heun"),
    connectome=load_connectome("macaque29"),
    axes={"base": np.linspace(1.0, 2.0, 41), "slope": np.linspace(-1.0, 1.0, 41)},
    fixed={"muEE": 3.0},
    derived={"P": input_of},
    measures=[Mean(window=(0.02, 0.06))],
    dt=1e-3,
    duration=0.06,
)

fit = Fit(
    dataclasses.replace(study, axes={}, fixed={}, derived={}),
    free={"base": (1.0, 2.0), "slope": (-1.0, 1.0), "muEE": (0.0, 6.0)},
    derived={"P": input_of},
    loss=LOSS,
    optimiser=CMAES(population=16, restarts=2),
    budget=640,
)


@plots.styled
def draw(ds):
    """Return the figure: the loss over a grid of two of the parameters, the third at its value."""
    fig, ax = plots.figure(size=(3.6, 2.8))
    drawn = ax.pcolormesh(ds.base, ds.slope, LOSS(ds).transpose("slope", "base"), norm="log", rasterized=True)
    fig.colorbar(drawn, label="loss")
    ax.plot(1.4, 0.5, "o", color="white", markeredgecolor="black", label="of the data")
    ax.set(xlabel="input to the lowest area", ylabel="slope along the hierarchy")
    ax.legend(loc="lower left")
    return fig
