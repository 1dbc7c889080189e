"""Sobol indices: which parameter decides how strongly each area responds, over whole ranges at once.

Four parameters are varied together, in the design of Saltelli et al. (2010), over ranges in which every point stays
bounded. An index is the share of the variance of log10 of an area's peak that a parameter explains by itself (first
order), or takes part in (total order).
"""

import numpy as np

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, designs, load_connectome, plots
from gbaexplore.analysis import sobol_indices

RANGES = {"muEE": (28.0, 36.0), "omegaEI": (20.0, 24.0), "muIE": (25.0, 28.0), "eta": (0.5, 0.7)}

study = Study(
    name="sobol_indices",
    model=ThresholdLinear(),
    axes={"point": designs.saltelli(512, RANGES)},
    connectome=load_connectome("macaque29"),
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
    measures=[Peak(window=(1.75, 5.0))],
)


@plots.styled
def draw(ds):
    """Return the figure: indices of each parameter along the hierarchy, first order and total, with 95 % intervals."""
    found = sobol_indices(ds, np.log10(ds.peak_rate))
    fig, panels = plots.figure(2, 1, size=(5.6, 4.6), sharex=True, sharey=True)
    at = np.arange(ds.sizes["area"])
    for ax, order in zip(panels, ("first_order", "total_order")):
        for parameter, colour in zip(found.parameter.values, plots.CYCLE):
            one = found.sel(parameter=parameter)
            low, high = (one[f"{order}_interval"].sel(bound=bound) for bound in ("low", "high"))
            ax.fill_between(at, low, high, color=colour, alpha=0.25, linewidth=0)
            ax.plot(at, one[order], "o-", color=colour, markersize=2.5, label=plots.symbol(parameter))
        ax.axhline(0, color="0.6", linewidth=0.7, zorder=0)
        ax.set_ylabel(f"{order.replace('_', '-')} index")
    panels[0].legend(ncols=len(RANGES), loc="upper right")
    panels[1].set_xticks(at, ds.area.values, rotation=90)
    panels[1].set_xlabel("cortical area, in hierarchical order")
    fig.suptitle("share of the variance of $\\log_{10}$ peak", fontsize="medium")
    return fig
