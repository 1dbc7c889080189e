"""The propagation map of Joglekar et al. (2018): muEE x omegaEI, with and without feedback."""

import numpy as np

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome, plots
from gbaexplore.analysis import propagation_ratio

macaque = load_connectome("macaque29")

study = Study(
    name="gba_grid",
    model=ThresholdLinear(),
    axes={
        "muEE": np.linspace(31, 53, 221),
        "omegaEI": np.linspace(19, 26, 71),
        "feedback": {"on": macaque, "off": macaque.without_feedback()},
    },
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
    measures=[Peak(window=(1.75, 5.0))],
)

REGIMES = {"weak": (33.7, 19.7), "strong": (51.5, 25.2)}  # muEE, omegaEI


@plots.styled
def draw(ds):
    """Return the figure: log10 of the propagation ratio, where rates exceed the ceiling, and the two regimes."""
    fig, panels = plots.figure(1, 2, size=(7.2, 3.0), sharex=True, sharey=True)
    for ax, feedback in zip(panels, ("on", "off")):
        ratio = np.log10(propagation_ratio(ds.sel(feedback=feedback))).transpose("omegaEI", "muEE")
        filled = ax.contourf(ds.muEE, ds.omegaEI, ratio, levels=np.arange(-8, 0.1, 0.5), cmap="viridis", extend="both")
        ax.set(facecolor="0.8", xlabel=plots.quantity(ds, "muEE"))
        for regime, point in REGIMES.items():
            colour = plots.COLOURS[regime]
            ax.plot(*point, "o", color=colour, markeredgecolor="white", markersize=7, label=f"{regime} GBA")
    panels[0].set(title="with feedback", ylabel=plots.quantity(ds, "omegaEI"))
    panels[0].text(47, 20.5, "unstable", ha="center")
    panels[0].legend(loc="upper left", labelcolor="white")
    # Without feedback it is not unstable: a chain of areas, each stable, only amplifies beyond the ceiling.
    panels[1].set(title="without feedback")
    panels[1].text(49.5, 19.7, "above 500 Hz", ha="center")
    fig.colorbar(filled, ax=panels, label="$\\log_{10}$ peak(24c) / peak(V1)")
    return fig
