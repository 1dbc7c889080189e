"""Which parameters move the peak most, in 24c and along the hierarchy: elasticities in weak and strong GBA.

An elasticity of 20 says that 1 % more of the parameter is about 20 % more peak. Weak and strong are the two regimes of
Joglekar et al. (2018), with the paper's pulses (elasticities do not depend on them) and the simultaneous update order
of the paper's code.
"""

from gbaexplore import Peak, Pulse, Sensitivity, Study, ThresholdLinear, load_connectome, plots
from gbaexplore.analysis import elasticity

PARAMETERS = ("omegaEE", "omegaEI", "omegaIE", "omegaII", "muEE", "muIE", "eta")
PEAK = Peak(window=(1.75, 5.0))

study = Study(
    name="sensitivities",
    connectome=load_connectome("macaque29"),
    axes={
        "regime": {
            "weak": (
                ThresholdLinear(muEE=33.7, omegaEI=19.7, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
            ),
            "strong": (
                ThresholdLinear(muEE=51.5, omegaEI=25.2, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=11.54 * 1.9),
            ),
        }
    },
    measures=[PEAK, Sensitivity(PEAK, PARAMETERS)],
)

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
MARKERS = "os^vDPX"


@plots.styled
def draw(ds):
    """Return the figure: elasticities of the peak in 24c, and along the hierarchy, in both regimes."""
    import numpy as np

    fig, (bars, *profiles) = plots.figure(1, 3, size=(7.2, 3.1), width_ratios=(1.15, 2, 2))
    found = elasticity(ds, "peak_rate")
    names = [plots.symbol(name) for name in PARAMETERS]
    where, along = np.arange(len(PARAMETERS)), np.arange(ds.sizes["area"])
    for shift, regime in ((-0.2, "weak"), (0.2, "strong")):
        values = found.sel(regime=regime, area="24c")
        bars.barh(where + shift, values, height=0.38, color=plots.COLOURS[regime], label=f"{regime} GBA")
    bars.set_yticks(where, names)
    bars.invert_yaxis()
    bars.axvline(0, color="0.3", linewidth=0.7)
    bars.set_xlabel("elasticity of the peak in 24c")
    bars.legend(loc="lower center", bbox_to_anchor=(0.45, 0.99), ncols=2, columnspacing=1, handlelength=1)
    top = 1.08 * float(np.abs(found).max())
    for ax, regime in zip(profiles, ("weak", "strong")):
        for name, label, colour, marker in zip(PARAMETERS, names, COLOURS, MARKERS):
            values = found.sel(regime=regime, parameter=name)
            ax.plot(along, values, marker=marker, color=colour, markersize=2.5, linewidth=0.9, label=label)
        ax.axhline(0, color="0.3", linewidth=0.7)
        ax.set_xticks(along, ds.area.values, rotation=90)
        ax.tick_params(axis="x", labelsize=5.5)
        ax.set(title=f"{regime} GBA", xlabel="cortical area, in hierarchical order", ylim=(-top, top))
    profiles[0].set_ylabel("elasticity of the peak")
    profiles[1].tick_params(labelleft=False)
    fig.legend(*profiles[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(PARAMETERS))
    return fig
