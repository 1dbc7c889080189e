"""Weak pathways removed: how much of V1's response reaches area 24c when only the stronger pathways are kept.

FLN below a threshold is set to 0. Weak and strong are the two regimes of Joglekar et al. (2018), both with the
paper's pulse (ratios of peaks do not depend on it). The update order is the simultaneous one of the paper's code.
"""

import numpy as np

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome, plots
from gbaexplore.analysis import propagation_ratio

macaque = load_connectome("macaque29")
networks = {f"{threshold:.3g}": macaque.thresholded(threshold) for threshold in np.logspace(-5, -2, 15)}

study = Study(
    name="weak_pathways",
    axes={
        "threshold": networks,
        "regime": {
            "weak": ThresholdLinear(muEE=33.7, omegaEI=19.7, update="simultaneous"),
            "strong": ThresholdLinear(muEE=51.5, omegaEI=25.2, update="simultaneous"),
        },
    },
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=21.5 * 1.951),
    measures=[Peak(window=(1.75, 5.0))],
)


@plots.styled
def draw(ds):
    """Return the figure: propagation ratio against the fraction of the 29 x 28 possible pathways that is kept."""
    possible = len(macaque.areas) * (len(macaque.areas) - 1)
    kept = [np.count_nonzero(networks[label].weights) / possible for label in ds.threshold.values]
    fig, ax = plots.figure(size=(3.6, 2.8))
    known = np.count_nonzero(macaque.weights)
    ax.axvline(known / possible, color="0.6", linewidth=0.7, linestyle=":", zorder=0)
    beside = dict(transform=ax.get_xaxis_transform(), rotation=90, ha="right", va="center")
    ax.text(known / possible - 0.005, 0.5, f"all {known} known", **beside)
    for regime in ("weak", "strong"):
        ratio = propagation_ratio(ds.sel(regime=regime))
        ax.semilogy(kept, ratio, "o-", color=plots.COLOURS[regime], label=f"{regime} GBA")
    ax.set(xlabel=f"fraction of the {possible} possible pathways kept", ylabel="peak(24c) / peak(V1)")
    ax.legend(loc="center left")
    return fig
