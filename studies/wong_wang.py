"""Spontaneous activity with and without control of inhibition, over coupling and seeds: Wong-Wang areas of the macaque.

The model of Deco et al. (2014), Journal of Neuroscience 34:7886-7898. With the same feedback inhibition everywhere,
areas fire the more, the more they receive. Where inhibition is such that each area's steady state is 3 Hz
(`feedback_inhibition`), rates stay low up to larger couplings, and functional connectivity (FC) of BOLD gets nearer to
the anatomical weights, the mean FLN of both directions, with which it is correlated over pairs of areas.
"""

import inspect

import numpy as np

from gbaexplore import BOLD, FC, FCFit, Mean, Study, WongWang, feedback_inhibition, load_connectome, plots

macaque = load_connectome("macaque29")
model = WongWang()
OWN = {n: getattr(model, n) for n in inspect.signature(feedback_inhibition).parameters if n not in ("net", "rate")}


def J(inhibition, G, net):
    """Return feedback inhibition: 1 nA everywhere, or that with which each area fires at 3 Hz."""
    return feedback_inhibition(net, **{**OWN, "G": G}) if inhibition == "controlled" else 1.0


seen = dict(of=BOLD("S_E"), window=(20.0, 80.0), every=1.0)
study = Study(
    name="wong_wang",
    connectome=macaque,
    axes={
        "inhibition": {"the same": model, "controlled": model},
        "G": np.linspace(0, 4, 17),
        "seed": range(4),
    },
    derived={"J": J},
    measures=[
        Mean(of="r_E", window=(10.0, 80.0), every=0.1),
        FC(**seen),
        FCFit(**seen, data=macaque.symmetrized("arithmetic").weights),
    ],
    dt=1e-3,
    duration=80.0,
)


@plots.styled
def draw(ds):
    """Return the figure: rates of areas, and the correlation of FC with the weights, over G."""
    fig, axes = plots.figure(1, 3, size=(7.2, 2.8))
    for ax, inhibition in zip(axes, ds.inhibition.values):
        rates = ds.mean_rate.sel(inhibition=inhibition).mean("seed")
        ax.plot(ds.G, rates.transpose("G", "area"), color="C0", linewidth=0.6)
        ax.set(xlabel="coupling G", yscale="log", ylim=(1, 300), title=f"inhibition: {inhibition}")
    axes[0].set_ylabel("rate of each area (Hz)")
    for inhibition, colour in zip(ds.inhibition.values, ("C1", "C0")):
        fit = ds.fc_fit_bold_S_E.sel(inhibition=inhibition).transpose("G", "seed").values
        axes[2].plot(ds.G, fit.mean(axis=1), color=colour, label=inhibition)
        axes[2].fill_between(ds.G, fit.min(axis=1), fit.max(axis=1), color=colour, alpha=0.2, linewidth=0)
    axes[2].set(xlabel="coupling G", ylabel="correlation of FC with FLN", ylim=(None, 1))
    axes[2].legend()
    return fig
