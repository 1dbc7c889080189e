"""Targeted inhibition: long-range inhibition that is stronger the more a pathway climbs, damps the way up.

The weight muIE of pathway target <- source is scaled by 1 + f max(0, h_target - h_source). Weak and strong are the
two regimes of Joglekar et al. (2018), both with the paper's pulse (ratios of peaks do not depend on it). The update
order is the simultaneous one of the paper's code.
"""

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome, plots
from gbaexplore.analysis import propagation_ratio

macaque = load_connectome("macaque29")

study = Study(
    name="targeted_inhibition",
    axes={
        "f": {f"{f:.2f}": macaque.with_targeted_inhibition(f) for f in (0.0, 0.05, 0.1, 0.15, 0.2)},
        "regime": {
            "weak": ThresholdLinear(muEE=33.7, omegaEI=19.7, update="simultaneous"),
            "strong": ThresholdLinear(muEE=51.5, omegaEI=25.2, update="simultaneous"),
        },
    },
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
    measures=[Peak(window=(1.75, 5.0))],
)


@plots.styled(colours=plots.COLOURS)
def draw(ds):
    """Return the figure: propagation ratio against f, and the strong regime's peaks along the hierarchy for each f."""
    import matplotlib as mpl

    fig, (left, right) = plots.figure(1, 2, size=(7.2, 3.0), width_ratios=(2, 3))
    for regime in ("weak", "strong"):
        ratio = propagation_ratio(ds.sel(regime=regime))
        left.semilogy(ds.f.astype(float), ratio, "o-", color=plots.COLOURS[regime], label=f"{regime} GBA")
    left.set(xlabel="targeting f of long-range inhibition", ylabel="peak(24c) / peak(V1)")
    left.legend(loc="center right")
    for f, colour in zip(ds.f.values, mpl.colormaps["viridis"].resampled(6).colors):
        plots.profile(ds.sel(f=f, regime="strong"), ax=right, color=colour, label=f"f = {f}", markersize=2.5)
    right.set(ylim=(None, 150), title="strong GBA", xlabel="cortical area, in hierarchical order")
    right.legend(loc="upper right", ncols=2)
    return fig
