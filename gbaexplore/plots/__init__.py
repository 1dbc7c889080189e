"""Drawing Datasets with matplotlib and HoloViews; this room knows labels and units, never models."""

from gbaexplore.plots.agreement import agreement
from gbaexplore.plots.boundaries import boundary
from gbaexplore.plots.fits import fit
from gbaexplore.plots.joglekar import COLOURS, regimes
from gbaexplore.plots.lines import profile, stack, sweep, traces
from gbaexplore.plots.live import interactive
from gbaexplore.plots.maps import map, scatter
from gbaexplore.plots.matrices import matrix
from gbaexplore.plots.overviews import overview, store
from gbaexplore.plots.style import (
    BLACK,
    BLUE,
    CYCLE,
    DASHES,
    GREEN,
    ORANGE,
    PURPLE,
    STYLE,
    VERMILION,
    cap_line,
    figure,
    quantity,
    shade,
    styled,
    symbol,
)

__all__ = [
    "BLACK",
    "BLUE",
    "COLOURS",
    "CYCLE",
    "DASHES",
    "GREEN",
    "ORANGE",
    "PURPLE",
    "STYLE",
    "VERMILION",
    "agreement",
    "boundary",
    "cap_line",
    "figure",
    "fit",
    "interactive",
    "map",
    "matrix",
    "overview",
    "profile",
    "quantity",
    "regimes",
    "scatter",
    "shade",
    "stack",
    "store",
    "styled",
    "sweep",
    "symbol",
    "traces",
]
