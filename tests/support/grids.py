"""Study files that several tests run, and how two Datasets are compared."""

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

# It leaves a file beside itself for each moment that it has reached; as long as there is a file `hold`, it computes
# only what is with feedback. So a test can be sure of where a run is, however slow or quick the machine.
HELD = """
import time
from pathlib import Path
import numpy as np
from gbaexplore import Peak, Pulse, SpectralAbscissa, Study, ThresholdLinear, load_connectome

HERE = Path(__file__).parent
(HERE / "begun").touch()
macaque = load_connectome("macaque29")


class Told(Peak):
    def init(self, change, run):
        (HERE / "traced").touch()
        return super().init(change, run)


class Held(SpectralAbscissa):
    def compute(self, model, points, connectome):
        while connectome != macaque and (HERE / "hold").exists():
            time.sleep(0.02)
        return super().compute(model, points, connectome)


study = Study(
    name="held",
    axes={
        "muEE": np.linspace(20, 33, 6),
        "omegaEI": np.linspace(22, 26, 5),
        # With models, so that no queue has points of both.
        "feedback": {"on": (macaque, ThresholdLinear()), "off": (macaque.without_feedback(), ThresholdLinear())},
    },
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=41.9),
    measures=[Told(window=(1.75, 3.0)), Held()],
)
(HERE / "loaded").touch()
"""
HELD_POINTS = 60


def same(a, b):
    for name in b.variables:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)
