"""Two boundaries of stability on the propagation map: where the linear network turns unstable, and where rates diverge.

They differ. The linear network has all rectifiers open, and a slow instability may not have grown past the ceiling
when the window ends; and a stable network may amplify a pulse beyond the ceiling on its way.
"""

import numpy as np

from gbaexplore import Peak, Pulse, SpectralAbscissa, Study, ThresholdLinear, load_connectome, plots
from gbaexplore.analysis import divergence_boundary, linear_boundary, propagation_ratio

macaque = load_connectome("macaque29")

study = Study(
    name="stability",
    model=ThresholdLinear(),
    axes={
        "muEE": np.linspace(31, 53, 89),
        "omegaEI": np.linspace(19, 26, 57),
        "feedback": {"on": macaque, "off": macaque.without_feedback()},
    },
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
    measures=[Peak(window=(1.75, 5.0)), SpectralAbscissa()],
)

REGIMES = {"weak": (33.7, 19.7), "strong": (51.5, 25.2)}  # muEE, omegaEI
BORDERS = {
    "linear network unstable": (linear_boundary, {"color": "black", "linestyle": "-"}),
    "rates pass the ceiling": (divergence_boundary, {"color": "#D55E9B", "linestyle": (0, (3, 1.2))}),
}


@plots.styled
def draw(ds):
    """Return the figure: log10 of the propagation ratio, and both boundaries, with and without feedback."""
    fig, panels = plots.figure(1, 2, size=(7.2, 3.6), sharex=True, sharey=True)
    for ax, feedback in zip(panels, ("on", "off")):
        ratio = np.log10(propagation_ratio(ds.sel(feedback=feedback))).transpose("omegaEI", "muEE")
        filled = ax.contourf(ds.muEE, ds.omegaEI, ratio, levels=np.arange(-8, 0.1, 0.5), cmap="viridis", extend="both")
        for label, (border, style) in BORDERS.items():
            lines = border(ds.sel(feedback=[feedback]))
            for number in np.unique(lines.curve):
                line = lines[lines.curve == number]
                ax.plot(line.muEE, line, linewidth=1.8, label=label, **style)
        for regime, point in REGIMES.items():
            colour = plots.COLOURS[regime]
            ax.plot(*point, "o", color=colour, markeredgecolor="white", markersize=7, label=f"{regime} GBA")
        ax.set(facecolor="0.8", xlabel=plots.quantity(ds, "muEE"), title=f"feedback {feedback}")
    panels[0].text(46, 20.5, "rates run away", ha="center")
    panels[1].text(49.3, 19.75, "above 500 Hz", ha="center")
    panels[0].set(ylabel=plots.quantity(ds, "omegaEI"), xlim=(31, 53), ylim=(19, 26))
    fig.colorbar(filled, ax=panels, label="$\\log_{10}$ peak(24c) / peak(V1)")
    # One entry for each thing, whichever panel has it.
    named = dict(zip(*reversed(panels[1].get_legend_handles_labels()))) | dict(
        zip(*reversed(panels[0].get_legend_handles_labels()))
    )
    fig.legend(named.values(), named, loc="outside lower center", ncols=4)
    return fig
