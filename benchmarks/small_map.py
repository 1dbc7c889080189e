"""The propagation map with fewer points: what `run.py --smallest` runs in its place."""

from dataclasses import replace

import numpy as np

from gbaexplore import load_study

study = load_study("gba_grid")
study = replace(study, axes=study.axes | {"muEE": np.linspace(31, 53, 23), "omegaEI": np.linspace(19, 26, 8)})
