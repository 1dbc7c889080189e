"""Makes the pictures of "Explore in a notebook", with Chromium: python docs/examples/interactive_pictures.py."""

import re
import shutil
import tempfile
from pathlib import Path

import panel as pn
from bokeh.resources import INLINE
from playwright.sync_api import sync_playwright

import gbaexplore as gba

HERE = Path(__file__).parents[1] / "how-to"
PICTURES = {
    "map": 'gba.plots.interactive(ds.sel(area="24c", feedback="on"), "peak_rate")',
    "curves": 'gba.plots.interactive(ds.sel(omegaEI=22, feedback="on", area=["V1", "V4", "24c"]), "peak_rate")',
    "profile": 'gba.plots.interactive(ds.sel(muEE=33.5, omegaEI=20), "peak_rate")',
    "../interactive": 'gba.plots.interactive(ds.sel(area=["24c", "V1"]), "peak_rate", store=f"{folder}/look.zarr")',
    "seeds": 'gba.plots.interactive(gba.run(noisy).sel(area="24c"), "rate_variance")',
}


def main() -> None:
    """Draw each picture of the page with its own studies, and the README's."""
    page = (HERE / "interactive.md").read_text(encoding="utf-8")
    studies = [
        code for code in re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE) if "Study(" in code
    ]
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        scope = {"gba": gba, "folder": folder}
        run = gba.run
        gba.run = lambda study: run(study, store=folder)
        for code in studies:
            exec(code, scope)  # the page's own studies
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for name, code in PICTURES.items():
            html = Path(folder, f"{Path(name).name}.html")
            picture = pn.panel(eval(code, scope), widget_location="right_top")
            picture.save(html, resources=INLINE)
            wide = {"width": 1480, "height": 490} if "store=" in code else {"width": 600, "height": 460}
            view = browser.new_page(viewport=wide, device_scale_factor=1 if "store=" in code else 1.5)
            view.goto(html.as_uri())
            view.wait_for_selector(".bk-Figure")
            view.wait_for_timeout(1500)
            view.screenshot(path=HERE / (f"{name}.png" if name.startswith("..") else f"interactive_{name}.png"))
        browser.close()


if __name__ == "__main__":
    main()
