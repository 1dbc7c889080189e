"""neurolib's BOLD of a wave, for tests/measures/test_samples.py: writes neurolib_bold.json beside that test.

python -m venv env && env/bin/pip install neurolib==0.6.2
env/bin/python benchmarks/peers/neurolib_bold.py
"""

import importlib.metadata
import importlib.util
import json
from pathlib import Path

import numpy as np

# By its path: the package itself imports much that this does not need.
found = next(f for f in importlib.metadata.files("neurolib") if str(f) == "neurolib/models/bold/timeIntegration.py")
spec = importlib.util.spec_from_file_location("neurolib_bold", found.locate())
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

DT, SECONDS, SIZE, FREQUENCIES = 1e-4, 20, 0.3, (0.05, 0.2)
t = DT * np.arange(round(SECONDS / DT))
z = np.array([SIZE * (1 + np.sin(2 * np.pi * f * t)) for f in FREQUENCIES])
ones = np.ones(len(FREQUENCIES))
bold = module.simulateBOLD(z, DT, None, X=0 * ones, F=ones, Q=ones, V=ones)[0]
each_second = bold[:, round(1 / DT) - 1 :: round(1 / DT)]
made = {
    "package": f"neurolib {importlib.metadata.version('neurolib')}",
    "made by": "benchmarks/peers/neurolib_bold.py",
    "settings": {"scheme": "its own Euler", "dt_s": DT, "start": "rest", "z": f"{SIZE} (1 + sin(2 pi f t))"},
    "frequencies_Hz": list(FREQUENCIES),
    "bold_each_second": [[round(v, 10) for v in row] for row in each_second.tolist()],
}
target = Path(__file__).parents[2] / "tests" / "measures" / "neurolib_bold.json"
target.write_text(json.dumps(made, indent=1) + "\n")
