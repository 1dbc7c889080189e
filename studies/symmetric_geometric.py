"""Every pathway as strong as its way back, by the geometric mean: pathways without one vanish, and 24c gets less.

FLN is replaced by the elementwise sqrt(FLN FLN'). Weak and strong are the two regimes of Joglekar et al. (2018).
The pulses are the paper's; they bring V1's peak to 100 Hz in this network, under the simultaneous update order of
the paper's code, which is therefore used here.
"""

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, Trace, load_connectome, plots

areas = ("V1", "V4", "TEO", "24c")

study = Study(
    name="symmetric_geometric",
    connectome=load_connectome("macaque29").symmetrized("geometric"),
    axes={
        "regime": {
            "weak": (
                ThresholdLinear(muEE=33.7, omegaEI=19.7, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.07 * 1.9),
            ),
            "strong": (
                ThresholdLinear(muEE=51.5, omegaEI=25.2, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=13.63 * 1.9),
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
