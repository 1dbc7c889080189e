"""Axes of connectomes: lesions, scaled pathways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gbaexplore.basics.errors import UserError, listing
from gbaexplore.networks.anatomy import area_names
from gbaexplore.networks.connectome import Connectome, check_is_connectome

_NONE = "none"  # the label of the connectome as it is


def lesions(connectome: Connectome, areas: Iterable[str] | None = None) -> dict[str, Connectome]:
    """Return an axis of lesions: "none", and each area's name with the connectome in which it is lesioned.

    Args:
        connectome: to be lesioned.
        areas: which areas, one at a time; all of them if None.

    Raises:
        UserError: no such area, or one called "none".
    """
    check_is_connectome(connectome)
    chosen = connectome.areas if areas is None else area_names(areas, f"lesions of {connectome.name}")
    if _NONE in chosen:
        raise UserError(f'an area called "{_NONE}" can\'t be a label beside "{_NONE}", no lesion; rename it')
    return {_NONE: connectome, **{area: connectome.lesioned(area) for area in chosen}}


def pathway_scalings(
    connectome: Connectome, factor: float, target: str | None = None, source: str | None = None
) -> dict[str, Connectome]:
    """Return an axis of pathways: "none", and "target<-source" with the connectome in which this one is scaled.

    Args:
        connectome: to be changed; only pathways that it has are scaled.
        factor: multiplies the weight; 0 removes the pathway.
        target, source: only pathways into this area, or out of this one; all if None.

    Raises:
        UserError: no such area; a factor that is not a number of at least 0.
    """
    check_is_connectome(connectome)
    targets = connectome.areas if target is None else (target,)
    sources = connectome.areas if source is None else (source,)
    there = [(t, s) for t in targets for s in sources if connectome.weights[connectome.index(t), connectome.index(s)]]
    return {_NONE: connectome, **{f"{t}<-{s}": connectome.scaled(factor, target=t, source=s) for t, s in there}}


def same_areas(connectomes: Mapping[str, Connectome]) -> tuple[str, ...]:
    """Return the areas that all of these connectomes have.

    Raises:
        UserError: they differ; one array has one list of areas.
    """
    (first, reference), *others = connectomes.items()
    for label, connectome in others:
        if connectome.areas != reference.areas:
            odd = sorted(set(connectome.areas) ^ set(reference.areas)) or ["the order"]
            raise UserError(
                f'connectomes "{first}" and "{label}" differ in their areas ({listing(odd, 5)}); expected '
                "the same areas in the same order (lesioned(...) silences an area and keeps it)"
            )
    return reference.areas
