"""The README's Python, run as it stands after the README's run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_readme_is_true(tmp_path):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    assert code.count("\n") <= 20
    gbaexplore = Path(sys.executable).with_name("gbaexplore")
    subprocess.run([gbaexplore, "run", ROOT / "studies" / "gba_grid.py"], cwd=tmp_path, check=True)
    code = "import matplotlib; matplotlib.use('agg')\n" + code
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # The weak regime's peak in 24c, sequential order: see docs/numerics.md.
    assert abs(float(done.stdout.split()[0]) / 0.00595078 - 1) < 1e-4
    assert (tmp_path / "store" / "map.png").stat().st_size > 10_000


def test_every_path_that_the_readme_names_exists():
    text = (ROOT / "README.md").read_text()
    for path in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (ROOT / path).exists(), path
