"""All areas alike (eta = 0): without the gradient of excitation along the hierarchy, the response dies on its way.

Weak and strong are the two regimes of Joglekar et al. (2018). The pulses are the paper's, the same as with the
hierarchy: here they bring V1's peak to 99.3 and 65.9 Hz, not 100, so compare peaks relative to V1's. The update
order is the simultaneous one of the paper's code.
"""

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, Trace, load_connectome, plots

study = Study(
    name="no_hierarchy",
    connectome=load_connectome("macaque29"),
    axes={
        "regime": {
            "weak": (
                ThresholdLinear(muEE=33.7, omegaEI=19.7, eta=0.0, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
            ),
            "strong": (
                ThresholdLinear(muEE=51.5, omegaEI=25.2, eta=0.0, update="simultaneous"),
                Pulse(area="V1", onset=2.0, duration=0.25, amplitude=11.54 * 1.9),
            ),
        }
    },
    measures=[Peak(window=(1.75, 5.0)), Trace(window=(1.75, 5.0), every=0.001, areas=("V1", "V4", "TEO", "24c"))],
)

draw = plots.regimes  # time courses in the traced areas, and the peak along the hierarchy
