"""All areas alike (eta = 0): without the gradient of excitation along the hierarchy, the response dies on its way.

Weak and strong are the two regimes of Joglekar et al. (2018). The pulses are the paper's, the same as with the
hierarchy: here they bring V1's peak to 99.3 and 65.9 Hz, not 100, so compare peaks relative to V1's. The update
order is the simultaneous one of the paper's code.
"""

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, Trace, load_connectome, plots

areas = ("V1", "V4", "TEO", "24c")

study = Study(
    name="no_hierarchy",
    connectome=load_connectome("macaque29"),
    axes={
        "regime": {
            "weak": (
                ThresholdLinear(muEE=33.7, omegaEI=19.7, eta=0.0, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
            ),
            "strong": (
                ThresholdLinear(muEE=51.5, omegaEI=25.2, eta=0.0, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=11.54 * 1.9),
            ),
        }
    },
    measures=[Peak(window=(1.75, 5.0)), Trace(window=(1.75, 5.0), every=5, areas=areas)],
)


@plots.styled
def draw(ds):
    """Return the figure: time courses in four areas, and the peak along the hierarchy."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(7.2, 3.0), layout="constrained")
    left, right = fig.subfigures(1, 2, width_ratios=(2, 3))
    panels = left.subplots(len(areas), 1, sharex=True)
    plots.stack(ds.sel(time=slice(1.75, 4.0)), panels, scale=ds.peak_rate.sel(regime="strong"), onset=2.0)
    panels[0].set(xlim=(-0.25, 2.0), ylim=(0, 120))
    for ax in panels:
        plots.shade(ax, 0.0, 0.25)
    ax = right.subplots()
    plots.profile(ds, ax=ax)
    ax.set(ylim=(None, 150), xlabel="cortical area, in hierarchical order")
    ax.legend(ax.get_lines(), ["weak GBA", "strong GBA"], loc="upper right")
    return fig
