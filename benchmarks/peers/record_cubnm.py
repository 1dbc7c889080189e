"""cuBNM's BOLD and the activity it is made of, in `tests/models/cubnm.json`.

    python -m venv env && env/bin/pip install -r benchmarks/peers/cubnm.txt
    env/bin/python benchmarks/peers/record_cubnm.py

A network of four areas of its E-I Wong-Wang model, 20 s: with noise, the activity of the first in means of 10 ms and
its BOLD; and without noise, the activity of all in the first second.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from cubnm import sim

SECONDS, G = 20, 1.0
rng = np.random.default_rng(5)
sc = rng.lognormal(size=(4, 4))  # rows are sources
np.fill_diagonal(sc, 0)
sc = (sc / sc.sum(0).max()).round(6)


def run(sigma, sampling):
    """Return S_E, (sample, area), BOLD, (second, area), and the feedback inhibition, (area,)."""
    group = sim.rWWSimGroup(
        duration=SECONDS, TR=1, sc=sc, sim_seed=1, do_fic=True, do_fc=False, do_fcd=False, force_cpu=True,
        bold_remove_s=0, gof_terms=[], states_ts=True, states_sampling=sampling,
    )  # fmt: skip
    group.N = 1
    group.param_lists["G"] = np.array([G])
    group._set_default_params(missing=True)
    group.param_lists["G"] = np.array([G])
    group.param_lists["sigma"] = np.full((1, len(sc)), sigma)
    group.run()
    return group.sim_states["S_E"][0], group.sim_bold[0], group.param_lists["wIE"][0]


def listed(values, digits):
    return np.asarray(values, float).round(digits).tolist()


noisy, bold, _ = run(0.01, 0.001)
still, _, J = run(0.0, 0.05)
made = {
    "package": f"cubnm {version('cubnm')}",
    "made by": "benchmarks/peers/record_cubnm.py",
    "settings": {
        "model": "rWWSimGroup",
        "do_fic": True,
        "dt_ms": 0.1,
        "bw_dt_ms": 1,
        "bw_params": "friston2003",
        "G": G,
    },
    "with noise": {
        "S_E_each_10_ms": listed(noisy[:, 0].reshape(-1, 10).mean(axis=1), 4),
        "bold_each_second": listed(bold[:, 0], 6),
    },
    "without noise": {
        "sc": sc.tolist(),
        "J": listed(J, 8),
        "S_E_each_50_ms": listed(still[:20].T, 8),
    },
}
target = Path(__file__).parents[2] / "tests" / "models" / "cubnm.json"
target.write_text(json.dumps(made) + "\n")
