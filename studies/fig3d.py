"""Figure 3D of Joglekar et al. (2018): strong balanced amplification carries a pulse into V1 up to area 24c."""

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, Trace, load_connectome, plots

areas = ("V1", "V4", "8m", "8l", "TEO", "7A", "9/46d", "TEpd", "24c")

study = Study(
    name="fig3d",
    axes={
        # A label may stand for several objects: both regimes are calibrated to 100 Hz in V1.
        "regime": {
            "weak": (
                ThresholdLinear(muEE=33.7, omegaEI=19.7),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
            ),
            "strong": (
                ThresholdLinear(muEE=51.5, omegaEI=25.2),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=11.54 * 1.9),
            ),
        }
    },
    connectome=load_connectome("macaque29"),
    measures=[Trace(window=(1.75, 5.0), every=0.001, areas=areas), Peak(window=(1.75, 5.0))],
)


@plots.styled(colours=plots.COLOURS)
def draw(ds):
    """Return the figure: weak and strong in each area, on the scale of the strong one, with its peak."""
    fig, panels = plots.figure(len(areas), 1, size=(3.4, 5.2), sharex=True)
    plots.stack(ds.sel(time=slice(1.75, 4.0)), panels, scale=ds.peak_rate.sel(regime="strong"), onset=2.0)
    fig.supylabel("change in firing rate (Hz)", fontsize="medium")
    panels[0].set_ylim(0, 140)
    for ax in panels:
        plots.shade(ax, 0.0, 0.25)
        ax.set_xlim(-0.25, 2.0)
    handles = panels[0].get_lines()
    fig.legend(handles, ["weak GBA", "strong GBA"], loc="outside upper center", ncols=2)
    return fig
