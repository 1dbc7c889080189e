"""The figure of two regimes of Joglekar et al. (2018), and its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gbaexplore.plots.lines import profile, stack
from gbaexplore.plots.style import BLACK, BLUE, GREEN, VERMILION, shade, styled

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


COLOURS = {"weak": BLUE, "strong": VERMILION, "V1": BLACK, "24c": GREEN}
"""Colours of its two regimes of amplification, and of the areas where the pulse goes in and where it is to arrive."""


@styled(colours=COLOURS)
def regimes(ds: xr.Dataset, onset: float = 2.0, duration: float = 0.25) -> Figure:
    """Return a figure that compares weak and strong regimes: time courses in the traced areas, and the hierarchy.

    `ds` has an axis `regime` (weak, strong), a Peak, and a Trace of some areas; the stimulus acts for `duration`
    from `onset`, s.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(7.2, 3.0), layout="constrained")
    halves: Any = fig.subfigures(1, 2, width_ratios=(2, 3))
    left, right = halves
    panels = left.subplots(ds.sizes["trace_area"], 1, sharex=True)
    shown = ds.sel(time=slice(onset - 0.25, onset + 2.0))
    stack(shown, panels, scale=ds.peak_rate.sel(regime="strong"), onset=onset)
    panels[0].set(xlim=(-0.25, 2.0), ylim=(0, 120))
    for ax in panels:
        shade(ax, 0.0, duration)
    ax = right.subplots()
    profile(ds, ax=ax)
    ax.set(ylim=(None, 150), xlabel="cortical area, in hierarchical order")
    ax.legend(ax.get_lines(), ["weak GBA", "strong GBA"], loc="upper right")
    return fig
