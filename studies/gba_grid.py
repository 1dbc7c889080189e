"""The propagation map of Joglekar et al. (2018): muEE x omegaEI, with and without feedback."""

import numpy as np

from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome

macaque = load_connectome("macaque29")

study = Study(
    name="gba_grid",
    model=ThresholdLinear(),
    axes={
        "muEE": np.linspace(31, 53, 221),
        "omegaEI": np.linspace(19, 26, 71),
        "feedback": {"on": macaque, "off": macaque.without_feedback()},
    },
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
    measures=[Peak(window=(1.75, 5.0))],
)
