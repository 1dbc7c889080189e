"""neurolib's Wilson-Cowan network, one point, numba: with and without noise, in two lengths."""

import numpy as np
import work
from neurolib.models.wc import WCModel


def job(noise: bool, seconds: float):
    areas = work.ONE_POINT_AREAS
    model = WCModel(Cmat=work.weights(areas), Dmat=np.zeros((areas, areas)))
    model.params["duration"] = seconds * 1e3
    model.params["dt"] = 0.2  # ms
    model.params["sigma_ou"] = 0.01 if noise else 0.0
    return model.run


if __name__ == "__main__":
    lengths = {"short": 0.2, "long": 0.4 if work.SMALLEST else 4.2}
    work.serve(
        {
            f"{length} {kind}": job(kind == "noise", seconds)
            for length, seconds in lengths.items()
            for kind in ("plain", "noise")
        }
    )
