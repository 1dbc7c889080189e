"""Figure 2C by the notebook's own BrainPy class: the same peaks as the built-in model's, down to 0.000001 Hz.

The network of Joglekar et al. (2018) as a class of BrainPy's, with raw rates and times in ms. A step updates E first,
and the inhibitory current then sees the new E. Raw rates need float64 here: 0.000001 Hz is lost on top of 10 Hz.
"""

import brainpy as bp
import brainpy.math as bm
import numpy as np

from gbaexplore import BrainPyModel, Peak, Pulse, Study, ThresholdLinear, load_connectome, plots


class Cortex(bp.DynamicalSystem):
    """Excitatory and inhibitory rates of each area (Hz), started in their steady state."""

    def __init__(self, net, muEE=28.0, omegaEI=19.7):
        super().__init__()
        self.fln, self.muEE, self.omegaEI = net.weights, muEE, omegaEI
        hierarchy = net.values["hierarchy"]
        self.gain = 1 + 0.68 * hierarchy
        self.E = bm.Variable(10.0 * bm.ones(len(hierarchy)))
        self.I = bm.Variable(35.0 * bm.ones(len(hierarchy)))
        # In the steady state the current equals the rate; what recurrence lacks, the background gives.
        self.background_E = 10.0 - self.recurrent_E()
        self.background_I = 35.0 - self.recurrent_I()

    def recurrent_E(self):
        E, I = self.E.value, self.I.value
        return 0.066 * (self.gain * (24.3 * E + self.muEE * (self.fln @ E)) - self.omegaEI * I)

    def recurrent_I(self):
        E, I = self.E.value, self.I.value
        return 0.351 * (self.gain * (12.2 * E + 25.3 * (self.fln @ E)) - 12.5 * I)

    def update(self, stimulus):
        dt = bp.share["dt"]  # ms
        current = self.recurrent_E() + self.background_E + stimulus
        self.E.value += dt / 20.0 * (-self.E.value + bm.maximum(current, 10.0))
        current = self.recurrent_I() + self.background_I
        self.I.value += dt / 10.0 * (-self.I.value + bm.maximum(current, 35.0))


macaque = load_connectome("macaque29")

study = Study(
    name="brainpy_notebook",
    axes={
        "muEE": np.arange(28.0, 43.0, 2.0),
        "feedback": {"on": macaque, "off": macaque.without_feedback()},
        "model": {
            "built in": ThresholdLinear(),
            "BrainPy": BrainPyModel(Cortex, monitors={"E": "Hz", "I": "Hz"}, at_rest=True),
        },
    },
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=21.8 * 1.9),
    measures=[Peak(window=(1.75, 5.0))],
    precision="float64",
)


@plots.styled(colours=plots.COLOURS)
def draw(ds):
    """Return the figure: the peak in 24c by both models, and their largest difference in any area."""
    fig, (left, right) = plots.figure(1, 2, size=(7.2, 2.8))
    plots.cap_line(left, 500.0)
    for feedback, colour in {"on": plots.BLUE, "off": plots.VERMILION}.items():
        built_in, brainpy = (ds.sel(feedback=feedback, model=model) for model in ("built in", "BrainPy"))
        plots.sweep(built_in, x="muEE", ax=left, color=colour, label=f"built in, feedback {feedback}", markersize=7)
        lines = {"color": plots.BLACK, "linestyle": "none", "marker": "x", "markersize": 4}
        plots.sweep(brainpy, x="muEE", ax=left, label="BrainPy" if feedback == "on" else None, **lines)
        apart = abs(brainpy.peak_rate - built_in.peak_rate).max("area").where(built_in.status == 1)
        right.semilogy(ds.muEE, apart, "o-", color=colour, label=f"feedback {feedback}")
    left.legend()
    right.legend()
    right.set(xlabel=plots.quantity(ds, "muEE"), ylabel="largest difference of any area (Hz)")
    return fig
