"""Every pathway as strong as its way back, by the arithmetic mean: strong balanced amplification survives.

FLN is replaced by (FLN + FLN') / 2, and eta is 0.6. Weak and strong are the two regimes of Joglekar et al. (2018).
The pulses are the paper's; they bring V1's peak to 100 Hz in this network, under the simultaneous update order of
the paper's code, which is therefore used here.
"""

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, Trace, load_connectome, plots

study = Study(
    name="symmetric_arithmetic",
    connectome=load_connectome("macaque29").symmetrized("arithmetic"),
    axes={
        "regime": {
            "weak": (
                ThresholdLinear(muEE=33.7, omegaEI=19.7, eta=0.6, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.07 * 1.9),
            ),
            "strong": (
                ThresholdLinear(muEE=51.5, omegaEI=25.2, eta=0.6, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=11.18 * 1.9),
            ),
        }
    },
    measures=[Peak(window=(1.75, 5.0)), Trace(window=(1.75, 5.0), every=0.001, areas=("V1", "V4", "TEO", "24c"))],
)

draw = plots.regimes  # time courses in the traced areas, and the peak along the hierarchy
