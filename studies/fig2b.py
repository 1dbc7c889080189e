"""Figure 2B of Joglekar et al. (2018): with slightly stronger coupling a pulse into V1 runs away."""

from gbaexplore import Pulse, Study, ThresholdLinear, Trace, load_connectome, plots

study = Study(
    name="fig2b",
    model=ThresholdLinear(),
    axes={"muEE": [34.0, 36.0]},
    connectome=load_connectome("macaque29"),
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=21.8 * 1.9),
    measures=[Trace(window=(1.75, 5.0), every=0.001, areas=("V1", "24c"))],
    ceiling=1e9,  # the run-away is what the figure shows: a finite 1e7 Hz at the end of the window
)


@plots.styled(colours=plots.COLOURS)
def draw(ds):
    """Return the figure: the change of rate in V1 and 24c, a panel for each coupling."""
    fig, panels = plots.figure(1, 2, size=(6.8, 2.6), sharey=True)
    for ax, mu in zip(panels, ds.muEE.values):
        plots.shade(ax, 0.0, 0.25)
        plots.traces(ds.sel(muEE=mu), ["V1", "24c"], onset=2.0, floor=1e-2, cap=200.0, ax=ax)
        ax.set(xlim=(-0.25, 3.0), ylim=(1e-2, 200.0), xlabel="time from stimulus onset (s)")
        ax.set_title(f"{plots.symbol('muEE')} = {mu:g} {ds.muEE.attrs['units']}")
    panels[0].set_ylabel("change in firing rate (Hz)")
    panels[0].legend(loc="upper right")
    return fig
