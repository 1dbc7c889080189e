"""A study file that several tests run, and how two Datasets are compared."""

import numpy as np

STUDY = """
import numpy as np
from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome

macaque = load_connectome("macaque29")
study = Study(
    name="grid",
    model=ThresholdLinear(),
    axes={
        "muEE": np.linspace(31, 53, 48),
        "omegaEI": np.linspace(19, 26, 60),
        "feedback": {"on": macaque, "off": macaque.without_feedback()},
    },
    derived={"muIE": lambda muEE: 25.3 + 0 * muEE},
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9),
    measures=[Peak(window=(1.75, 3.0))],
)
"""


def same(a, b):
    for name in b.variables:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)
