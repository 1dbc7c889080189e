"""Wilson-Cowan cortex: where areas begin to oscillate, over a constant input to all and the coupling between them.

Each area has the population of Wilson & Cowan (1972) that oscillates by itself at P = 1.25. The coupling reaches
excitatory and inhibitory cells alike. `Oscillation` is a measure of this file: how far E swings, and how often.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from gbaexplore import StreamingMeasure, Study, WilsonCowan, load_connectome, plots
from gbaexplore.measures import Variable


@dataclass(frozen=True)
class Oscillation(StreamingMeasure):
    """Swing (largest less smallest value) and number of maxima per second, in each area."""

    def variables(self, model):
        name = self.observable(model)
        return {
            "swing": Variable(("area",), model.observables[name], f"swing of {name}"),
            "frequency": Variable(("area",), "Hz", f"maxima of {name} per second"),
        }

    def init(self, change, run):
        return change, change, change, change < 0, jnp.zeros_like(change)

    def update(self, acc, change, now, run):
        low, high, last, rising, maxima = acc
        falls = change < last
        return (
            jnp.minimum(low, change), jnp.maximum(high, change), change, ~falls,
            maxima + jnp.where(falls & rising, 1.0, 0.0),
        )  # fmt: skip

    def finish(self, acc, rest, run):
        low, high, _, _, maxima = acc
        return {"swing": high - low, "frequency": maxima / (run.samples * run.dt)}


study = Study(
    name="wilson_cowan",
    model=WilsonCowan(method="heun"),
    connectome=load_connectome("macaque29"),
    axes={"P": np.linspace(0, 2.5, 51), "muEE": np.linspace(0, 8, 41)},
    derived={"muIE": lambda muEE: muEE},
    measures=[Oscillation(window=(0.5, 1.5))],
    dt=5e-4,
    duration=1.5,
)


@plots.styled
def draw(ds):
    """Return the figure: how many areas oscillate, how far V1 swings and how fast, over input and coupling."""
    fig, axes = plots.figure(1, 3, size=(7.2, 2.6))
    oscillates = ds.swing > 0.05
    V1 = ds.sel(area="V1")
    panels = [
        (oscillates.sum("area"), "areas that oscillate"),
        (V1.swing, "swing of E in V1"),
        (V1.frequency.where(oscillates.sel(area="V1")), "frequency in V1 (Hz)"),
    ]
    for ax, (values, title) in zip(axes, panels):
        drawn = ax.pcolormesh(ds.P, ds.muEE, values.transpose("muEE", "P"), cmap="viridis", rasterized=True)
        fig.colorbar(drawn)
        ax.set(xlabel="input P", title=title)
    axes[0].set_ylabel(r"long-range coupling $\mu_{EE} = \mu_{IE}$")
    return fig
