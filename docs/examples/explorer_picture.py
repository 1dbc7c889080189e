"""Makes the README's picture of the explorer, with Chromium: python docs/examples/explorer_picture.py."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

COMMAND = Path(sys.executable).with_name("gbaexplore")
ROOT = Path(__file__).parents[2]
ON = {"feedback": "on"}
VIEW = {
    "areas": ["V1", "8m", "24c"],
    "pins": [{"muEE": 33.7, "omegaEI": 19.7, **ON}, {"muEE": 51.5, "omegaEI": 25.2, **ON}],
    "point": {"muEE": 45.0, "omegaEI": 23.5, **ON},
}
CURVES = """() => (window.Bokeh?.documents ?? []).some((d) => {
  const course = d.get_model_by_name('course 8m')
  return course?.renderers[0].data_source.data.xs.length == 3
})"""


def main() -> None:
    """Run the map's study, serve its store and take the picture of three points."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([COMMAND, "run", ROOT / "studies" / "gba_grid.py", "--store", folder], check=True)
        command = [COMMAND, "explore", f"{folder}/gba_grid.zarr", "--port", "0", "--no-browser"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            url = next(word for word in process.stdout.readline().split() if word.startswith("http"))
            take(f"{url}?{urlencode({'view': json.dumps(VIEW)})}")
        finally:
            process.terminate()
            process.communicate()


def take(url: str) -> None:
    """Write what a browser shows, without the lines of Python below it."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1480, "height": 768})
        page.goto(url)
        page.wait_for_function(CURVES)
        page.wait_for_timeout(1500)  # until it is drawn
        page.screenshot(path=ROOT / "docs" / "explorer.png")
        browser.close()


if __name__ == "__main__":
    main()
