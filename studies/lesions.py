"""Lesions: which area's removal hurts propagation from V1 to 24c most?

One area at a time loses all its pathways, in and out; a pulse into V1 then goes round it. Weak and strong are the two
regimes of Joglekar et al. (2018), each with the pulse that brings V1 of the whole network to 100 Hz. The update order
is the simultaneous one of the paper's code.
"""

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, lesions, load_connectome, plots


def pulse(amplitude):
    """Return the paper's pulse into V1, of some amplitude."""
    return Pulse(area="V1", onset=2.0, duration=0.25, amplitude=amplitude)


study = Study(
    name="lesions",
    axes={
        "lesion": lesions(load_connectome("macaque29")),
        "regime": {
            "weak": (ThresholdLinear(muEE=33.7, omegaEI=19.7, update="simultaneous"), pulse(22.05 * 1.9)),
            "strong": (ThresholdLinear(muEE=51.5, omegaEI=25.2, update="simultaneous"), pulse(11.54 * 1.9)),
        },
    },
    measures=[Peak(window=(1.75, 5.0))],
)


@plots.styled
def draw(ds):
    """Return the figure: how much each lesion changes the peak in 24c, in both regimes, the worst for strong on top."""
    peak = ds.peak_rate.sel(area="24c", drop=True)
    change = 100 * (peak / peak.sel(lesion="none") - 1)
    # Without V1 or 24c there is no way from one to the other, whatever lies between.
    between = change.drop_sel(lesion=["none", "V1", "24c"]).sortby(change.sel(regime="strong"))
    rows = range(between.sizes["lesion"])
    fig, ax = plots.figure(size=(3.6, 4.6))
    ends = [between.sel(regime=regime).values for regime in ("weak", "strong")]
    ax.hlines(rows, *ends, color="0.8", linewidth=1.0, zorder=1)
    for regime, values, marker in zip(("weak", "strong"), ends, "so"):
        ax.plot(values, rows, marker, color=plots.COLOURS[regime], label=f"{regime} GBA", zorder=2)
    ax.axvline(0, color="0.6", linewidth=0.7, linestyle=":", zorder=0)
    ax.set(xlabel="change of the peak in 24c (%)", ylabel="lesioned area", xlim=(-103, 5))
    ax.set(yticks=rows, yticklabels=between.lesion.values, ylim=(len(rows) - 0.5, -0.5))
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower left")
    return fig
