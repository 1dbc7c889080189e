"""Delays and synchrony: phase oscillators near 60 Hz in 29 areas of the macaque, over coupling and conduction velocity.

Each area is a Kuramoto oscillator; what it sends arrives after wiring distance / velocity. After Cabral, Hugues, Sporns
& Deco (2011), NeuroImage 57:130-139, in whose network, too, delays decide where synchrony is and how much it wavers.
Synchrony is the mean over time of R = |sum_i exp(i theta_i)| / n, metastability its standard deviation.
"""

import numpy as np

from gbaexplore import Kuramoto, KuramotoOrder, Study, load_connectome, plots

macaque = load_connectome("macaque29")

study = Study(
    name="kuramoto",
    model=Kuramoto(),
    connectome=macaque,
    axes={"K": np.linspace(0, 150, 21), "velocity": np.geomspace(1, 30, 10)},
    fixed={"f": 60 + np.random.default_rng(1).normal(0, 2, len(macaque.areas))},
    measures=[KuramotoOrder(of="theta", window=(1.0, 3.0))],
    dt=5e-4,
    duration=3.0,
)


@plots.styled
def draw(ds):
    """Return the figure: synchrony and metastability over coupling and mean delay."""
    fig, axes = plots.figure(1, 2, size=(7.2, 3.0))
    connected = macaque.weights > 0
    delay = macaque.lengths_mm[connected].mean() / ds.velocity.values  # mm / (m/s) is ms
    for ax, name in zip(axes, ("synchrony", "metastability")):
        field = ds[name].transpose("velocity", "K")
        drawn = ax.pcolormesh(ds.K, delay, field, cmap="viridis", vmin=0, rasterized=True)
        fig.colorbar(drawn, label=name)
        ax.set(xlabel="coupling K (1/s)", yscale="log")
    axes[0].set_ylabel("mean delay (ms)")
    return fig
