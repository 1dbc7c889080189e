"""Figure 2C of Joglekar et al. (2018): peak in area 24c over the coupling, with and without feedback."""

import numpy as np

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome, plots

macaque = load_connectome("macaque29")

study = Study(
    name="fig2c",
    model=ThresholdLinear(),
    axes={
        "muEE": np.arange(28.0, 43.0, 2.0),
        "feedback": {"on": macaque, "off": macaque.without_feedback()},
    },
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=21.8 * 1.9),
    measures=[Peak(window=(1.75, 5.0))],
)


@plots.styled(colours=plots.COLOURS)
def draw(ds):
    """Return the figure: a panel with and one without feedback, what runs away at 500 Hz."""
    fig, panels = plots.figure(1, 2, size=(6.8, 2.6), sharey=True)
    titles = {"on": "with feedback", "off": "without feedback"}
    for ax, (feedback, title) in zip(panels, titles.items()):
        plots.cap_line(ax, 500.0)
        plots.sweep(ds.sel(feedback=feedback), x="muEE", area="24c", cap=500.0, ax=ax, color=plots.BLUE)
        ax.set(xlim=(27.0, 43.0), ylim=(1e-6, 1e3), title=title, xticks=ds.muEE.values)
    panels[1].set_ylabel("")
    return fig
