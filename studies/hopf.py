"""Resting fluctuations: oscillators near a Hopf bifurcation in 29 areas of the macaque, over coupling, with ten seeds.

The model of Deco, Kringelbach, Jirsa & Ritter (2017), Scientific Reports 7:3095, just below the bifurcation, with
frequencies of areas as of BOLD, 0.04 to 0.07 Hz. For each coupling, functional connectivity (FC) is correlated over
pairs of areas with the anatomical weights, here the mean FLN of both directions.
"""

import numpy as np

from gbaexplore import FC, FCFit, Hopf, Study, load_connectome, plots

macaque = load_connectome("macaque29")

seen = dict(of="x", window=(100.0, 1300.0), every=2.0)
study = Study(
    name="hopf",
    model=Hopf(a=-0.02),
    connectome=macaque,
    axes={"G": np.linspace(0, 1, 21), "seed": range(10)},
    fixed={"f": np.random.default_rng(1).uniform(0.04, 0.07, len(macaque.areas))},
    measures=[FC(**seen), FCFit(**seen, data=macaque.symmetrized("arithmetic").weights)],
    dt=0.1,
    duration=1300.0,
)


@plots.styled
def draw(ds):
    """Return the figure: mean FC and its correlation with the weights over G, and FC where that is highest."""
    fig, (left, right) = plots.figure(1, 2, size=(7.2, 3.2), width_ratios=(3, 3))
    fit, fc = ds.fc_fit_x.transpose("G", "seed").values, ds.fc_x.transpose("G", "seed", ...).values
    mean_fc = fc[..., *np.triu_indices(len(macaque.areas), 1)].mean(-1)
    for values, label, colour in ((fit, "correlation with FLN", "C3"), (mean_fc, "mean FC", "C0")):
        mean, spread = values.mean(axis=1), values.std(axis=1)
        left.plot(ds.G, mean, color=colour, label=label)
        left.fill_between(ds.G, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
    left.set(
        xlabel="coupling G (1/s)", ylabel="correlation", ylim=(0, 1), title="mean and standard deviation over seeds"
    )
    left.legend()
    best = fit.mean(axis=1).argmax()
    drawn = right.imshow(fc[best].mean(axis=0), cmap="RdBu_r", vmin=-1, vmax=1)
    fig.colorbar(drawn, label="FC")
    places = range(0, len(macaque.areas), 2)
    right.set_xticks(places, [macaque.areas[i] for i in places], rotation=90, fontsize="small")
    right.set_yticks(places, [macaque.areas[i] for i in places], fontsize="small")
    right.set_title(f"G = {ds.G.values[best]:.2f} /s")
    return fig
