"""Axes of connectomes: lesions, pathways scaled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gbaexplore.basics.errors import UserError
from gbaexplore.networks.connectome import Connectome

if TYPE_CHECKING:
    pass


def lesions(connectome: Connectome, areas: Iterable[str] | None = None) -> dict[str, Connectome]:
    """Return an axis of lesions: "none", and each area's name with the connectome in which it is lesioned.

    Args:
        connectome: to be lesioned.
        areas: which areas, one at a time; all of them if None.
    """
    chosen = connectome.areas if areas is None else tuple(areas)
    return {"none": connectome, **{area: connectome.lesioned(area) for area in chosen}}


def pathway_scalings(
    connectome: Connectome, factor: float, target: str | None = None, source: str | None = None
) -> dict[str, Connectome]:
    """Return an axis of pathways: "none", and "target<-source" with the connectome in which this one is scaled.

    Args:
        connectome: to be changed; only pathways that it has are scaled.
        factor: what FLN is multiplied by; 0 takes the pathway out.
        target, source: only pathways into this area, or out of this one; all if None.
    """
    targets = connectome.areas if target is None else (target,)
    sources = connectome.areas if source is None else (source,)
    there = [(t, s) for t in targets for s in sources if connectome.fln[connectome.index(t), connectome.index(s)] > 0]
    return {"none": connectome, **{f"{t}<-{s}": connectome.scaled(factor, target=t, source=s) for t, s in there}}


def same_areas(connectomes: Mapping[str, Connectome]) -> tuple[str, ...]:
    """Return the areas that all of these have.

    Raises:
        UserError: they differ; one array can only have one list of areas.
    """
    (first, reference), *others = connectomes.items()
    for label, connectome in others:
        if connectome.areas != reference.areas:
            odd = sorted(set(connectome.areas) ^ set(reference.areas)) or ["the order"]
            raise UserError(
                f'connectomes "{first}" and "{label}" differ in their areas ({", ".join(odd[:5])}); expected '
                "the same areas in the same order (lesioned(...) silences an area and keeps it)"
            )
    return reference.areas
