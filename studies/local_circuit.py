"""Local balanced amplification (figure 1 of Joglekar et al., 2018): how far one circuit's rate rises, and when.

One area, two populations, no stimulus: the run starts at E = 1 Hz, I = 0. `LocalCircuit` updates both populations
from the old state (the simultaneous order), as the paper's code does. Weak and strong are the paper's own points.

`peak_rate` is the rise of E since the first sample, the state after one step; `rate_change` is E itself, rest being
0. E's peak is therefore `peak_rate` plus the first `rate_change`; since wEE > 1, E starts by rising, and that sample
is never above the peak. In float32, rounding 20,000 times would move peaks beside the stability boundary by 1 %.
"""

import numpy as np

from gbaexplore import Connectome, LocalCircuit, Peak, SpectralAbscissa, Study, Trace, plots

POINTS = {"weak": dict(wEE=4.45, wEI=4.7), "strong": dict(wEE=6.0, wEI=6.7)}

study = Study(
    name="local_circuit",
    model=LocalCircuit(),
    connectome=Connectome("local", ("local",), weights=np.zeros((1, 1)), values={"hierarchy": [0.0]}),
    axes={"wEE": np.linspace(4, 6.5, 101), "wEI": np.linspace(4.5, 7, 101)},
    measures=[Peak(), SpectralAbscissa(), Trace(window=(0, 0.6), every=0.002)],
    dt=1e-4,
    duration=2.0,
    precision="float64",
)


@plots.styled
def draw(ds):
    """Return the figure: E over time at the two points, and its peak over the map."""
    fig, (left, right) = plots.figure(1, 2, size=(7.2, 2.9), width_ratios=(1, 1.3))
    peak = (ds.peak_rate + ds.rate_change.isel(time=0)).where(ds.spectral_abscissa < 0).squeeze("area").T
    filled = right.contourf(ds.wEE, ds.wEI, peak, levels=np.linspace(1, 8, 15), cmap="viridis", extend="max")
    fig.colorbar(filled, label="peak of E (Hz)", ticks=range(1, 9))
    right.set_facecolor("0.8")
    right.text(5.8, 5.2, "unstable", ha="center")
    right.set(xlabel="local E to E coupling $w_{EE}$", ylabel="local I to E coupling $w_{EI}$")
    for label, point in POINTS.items():
        E = ds.rate_change.sel(point, method="nearest").squeeze("area")
        left.plot(ds.time, E, color=plots.COLOURS[label], label=f"{label} LBA")
        right.plot(*point.values(), "o", color=plots.COLOURS[label], markeredgecolor="white", markersize=7)
    left.set(xlabel="time (s)", ylabel="excitatory rate E (Hz)", xlim=(0, 0.6), ylim=(0, None))
    left.legend()
    return fig
