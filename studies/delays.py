"""Conduction delays: how the velocity of axons sets when a pulse into V1 arrives along the hierarchy.

The network of Joglekar et al. (2018) in its two regimes, each pathway with a delay of its wiring distance over the
conduction velocity; the published network (simultaneous update order) is the limit of fast axons. An area's arrival
is when it has first changed by a tenth of its own peak.
"""

from gbaexplore import DelayedThresholdLinear, Peak, Pulse, Study, Trace, load_connectome, plots

VELOCITIES = [1.5, 2.5, 3.5, 5.0, 10.0, 1000.0]
ONSET = 0.1

study = Study(
    name="delays",
    connectome=load_connectome("macaque29"),
    stimulus=Pulse(area="V1", onset=ONSET, duration=0.25, amplitude=22.05 * 1.9),
    axes={
        "regime": {
            "weak": DelayedThresholdLinear(muEE=33.7, omegaEI=19.7),
            "strong": DelayedThresholdLinear(muEE=51.5, omegaEI=25.2),
        },
        "velocity": VELOCITIES,
    },
    measures=[Peak(), Trace(every=0.001)],
    dt=5e-4,
    duration=1.2,
)


def arrival(ds):
    """Return when each area has first changed by a tenth of its peak, ms after the pulse's onset."""
    risen = ds.rate_change >= 0.1 * ds.rate_change.max("time")
    return 1e3 * (ds.time.isel(time=risen.argmax("time")).drop_vars("time") - ONSET)


@plots.styled
def draw(ds):
    """Return the figure: arrival along the hierarchy for each velocity, and time courses at two of them."""
    import matplotlib as mpl

    fig, (left, right) = plots.figure(1, 2, size=(7.2, 3.2), width_ratios=(3, 2))
    strong = ds.sel(regime="strong")
    colours = mpl.colormaps["viridis"].resampled(len(VELOCITIES) + 1).colors
    for velocity, colour in zip(ds.velocity.values, colours):
        label = f"{velocity:g} m/s" if velocity < 1000 else "no delay"
        left.plot(ds.area, arrival(strong.sel(velocity=velocity)), "o-", color=colour, label=label, markersize=2.5)
    left.set(xlabel="cortical area, in hierarchical order", ylabel="arrival (ms)", ylim=(0, None))
    left.tick_params(axis="x", rotation=90, labelsize="small")
    left.legend(ncols=2)
    for area, colour in zip(["V1", "V4", "24c"], [plots.BLACK, plots.ORANGE, plots.GREEN]):
        for velocity, style in ((1000.0, "-"), (1.5, "--")):
            course = strong.rate_change.sel(area=area, velocity=velocity)
            right.plot(
                ds.time - ONSET, course / course.max(), style, color=colour, label=area if style == "-" else None
            )
    right.set(xlabel="time from onset (s)", ylabel="change, of its peak", xlim=(-0.05, 0.8), ylim=(0, 1.05))
    for style, what in (("-", "no delay"), ("--", "1.5 m/s")):
        right.plot([], [], style, color="0.5", label=what)
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return fig
