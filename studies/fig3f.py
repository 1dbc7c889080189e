"""Figure 3F of Joglekar et al. (2018): inhibition that grows with excitation keeps propagation stable."""

import numpy as np

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome, plots


def omegaEI(muEE, inhibition):
    """Return local inhibition: the same everywhere, or on the line through weak and strong amplification."""
    return 19.7 + (muEE - 33.7) * 55 / 178 if inhibition == "linked" else 19.7


study = Study(
    name="fig3f",
    axes={
        "muEE": np.arange(20.0, 51.0, 2.0),
        "inhibition": {"fixed": ThresholdLinear(), "linked": ThresholdLinear()},
    },
    derived={"omegaEI": omegaEI},
    connectome=load_connectome("macaque29"),
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
    measures=[Peak(window=(1.75, 3.5))],
)


@plots.styled(colours=plots.COLOURS)
def draw(ds):
    """Return the figure: the peak in 24c for both, what runs away at 500 Hz."""
    fig, ax = plots.figure(size=(3.4, 2.8))
    plots.cap_line(ax, 500.0)
    how = {"fixed": "fixed at 19.7 pA/Hz", "linked": f"linked to {plots.symbol('muEE')}"}
    for inhibition, colour in (("fixed", plots.BLUE), ("linked", plots.BLACK)):
        label = f"{plots.symbol('omegaEI')} {how[inhibition]}"
        plots.sweep(ds.sel(inhibition=inhibition), area="24c", cap=500.0, ax=ax, color=colour, label=label)
    ax.set(xlim=(20.0, 50.0), ylim=(1e-8, 1e4))
    ax.legend(loc="lower right")
    return fig
