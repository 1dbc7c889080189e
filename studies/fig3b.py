"""Figure 3B of Joglekar et al. (2018): with weak amplification a pulse into V1 fades along the hierarchy."""

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, Trace, load_connectome, plots

areas = ("V1", "V4", "8m", "8l", "TEO", "7A", "9/46d", "TEpd", "24c")

study = Study(
    name="fig3b",
    axes={
        "regime": {
            "weak": (
                ThresholdLinear(muEE=33.7, omegaEI=19.7),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
            ),
        }
    },
    connectome=load_connectome("macaque29"),
    measures=[Trace(window=(1.75, 5.0), every=0.001, areas=areas), Peak(window=(1.75, 5.0))],
)


@plots.styled(colours=plots.COLOURS)
def draw(ds):
    """Return the figure: the change of rate in each area, on a scale of its own, with its peak."""
    fig, panels = plots.figure(len(areas), 1, size=(3.4, 5.2), sharex=True)
    plots.stack(ds.sel(time=slice(1.75, 4.0)), panels, scale=ds.peak_rate.sel(regime="weak"), onset=2.0)
    fig.supylabel("change in firing rate (Hz)", fontsize="medium")
    panels[0].set_ylim(0, 140)
    for ax in panels:
        plots.shade(ax, 0.0, 0.25)
        ax.set_xlim(-0.25, 2.0)
    panels[0].set_title("weak GBA")
    return fig
