"""Figure 3E of Joglekar et al. (2018): peak along the hierarchy, with weak and strong balanced amplification."""

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome, plots

study = Study(
    name="fig3e",
    axes={
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
    measures=[Peak(window=(1.75, 5.0))],
)


@plots.styled(colours=plots.COLOURS)
def draw(ds):
    """Return the figure: the peak in each of the 29 areas as a percentage of V1's."""
    fig, ax = plots.figure(size=(5.2, 2.9))
    plots.profile(ds, source="V1", ax=ax, clip_on=False)
    ax.set(ylim=(1e-4, 1e2), xlabel="cortical area, in hierarchical order")
    ax.legend(ax.get_lines(), ["weak GBA", "strong GBA"], loc="lower left")
    return fig
