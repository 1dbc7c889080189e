"""The explorer on the map: from a click in a real browser to the time courses on the page."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from shell import gbaexplore, map_study, say, sized

from gbaexplore.plots.explorer.courses import Courses

POINTS = [(31.0 + i, 22.0) for i in range(sized(8, 2))]

# Arms a stopwatch that goes from the next press of the mouse until the time courses are another array; where to press.
ARM = """([x, y]) => {
  const named = (name) => Bokeh.documents.map((d) => d.get_model_by_name(name)).find((m) => m != null)
  const course = named('course 24c').renderers[0].data_source
  const before = course.data.ys
  window.stopwatch = new Promise((resolve) => addEventListener('pointerdown', () => {
    const started = performance.now()
    const look = () => course.data.ys === before ? setTimeout(look, 1) : resolve(performance.now() - started)
    look()
  }, {capture: true, once: true}))
  const view = Bokeh.index.find_one(named('map'))
  const box = view.canvas_view.el.getBoundingClientRect()
  return [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)]
}"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        gbaexplore("run", map_study(), "--store", folder)
        store = Path(folder) / "gba_grid.zarr"
        simulated(store)
        clicked(store)


def simulated(store: Path) -> None:
    """What the simulation takes of it."""
    courses = Courses(store)
    courses.warm()
    seconds = []
    for muEE, omegaEI in POINTS:
        started = time.perf_counter()
        courses.course({"muEE": muEE, "omegaEI": omegaEI, "feedback": "on"}, "E")
        seconds.append(time.perf_counter() - started)
    say(f"explorer, a point simulated, median and longest of {len(POINTS)}", told(seconds))


def clicked(store: Path) -> None:
    """Clicks in the browser, one after another."""
    name = f"explorer, click to time courses, median and longest of {len(POINTS)}"
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        say(name, "not measured: no chromium on the PATH")
        return
    from playwright.sync_api import sync_playwright

    command = [Path(sys.executable).with_name("gbaexplore"), "explore", store, "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1500, "height": 1000})
            page.goto(url)
            page.wait_for_function("window.Bokeh?.documents.some((d) => d.get_model_by_name('course 24c'))")
            page.wait_for_timeout(2000)
            seconds = []
            for point in POINTS:
                page.wait_for_timeout(1000)  # two clicks in a row would be a double one
                page.mouse.click(*page.evaluate(ARM, point))
                seconds.append(page.evaluate("() => window.stopwatch") / 1000)
            browser.close()
    finally:
        process.terminate()
        process.communicate()
    say(name, told(seconds))


def told(seconds: list[float]) -> str:
    return f"{median(seconds):.3f} s, {max(seconds):.3f} s"


if __name__ == "__main__":
    main()
