"""Parts of a connectome, whatever they come from: names of areas, and arrays by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from gbaexplore.basics.errors import UserError, listing, shown

_LONGEST = 200  # characters of an area's name


class Named(Mapping[str, Any]):
    """Arrays by name, which can't be changed; a name that is not there is one clear line."""

    def __init__(self, field: str, arrays: Mapping[str, Any]) -> None:
        self._field, self._arrays = field, dict(arrays)

    def __getitem__(self, name: str) -> Any:
        if name not in self._arrays:
            known = f"it has {listing(self._arrays)}" if self._arrays else "it has none"
            raise UserError(
                f'the connectome has no "{name}" among its {self._field} ({known}), which is asked for; expected '
                f'Connectome(..., {self._field}={{"{name}": ...}})'
            )
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def get(self, name: str, default: Any = None) -> Any:
        """Return the array of this name, or the default."""
        return self._arrays.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"{{{listing(self._arrays)}}}"


def area_names(areas: Any, what: str) -> tuple[str, ...]:
    """Return the names of areas, all different.

    Raises:
        UserError: text instead of a list; a set, which has no order; names that are not text, repeated, too long to
            read, or with characters that do not print.
    """
    try:
        if isinstance(areas, (str, bytes, set, frozenset)):
            raise TypeError
        names = tuple(areas)
    except TypeError:
        raise UserError(f"{what}: areas are {type(areas).__name__}; expected a list of names, in order") from None
    if not names:
        raise UserError(f"{what}: no areas; expected at least one")
    for name in names:
        if not isinstance(name, str) or not name or name != name.strip():
            raise UserError(f"{what}: area names must be non-empty text, without blanks around it; found {shown(name)}")
        if not name.isprintable() or len(name) > _LONGEST:
            raise UserError(
                f"{what}: the area name {name[:40]!r} has characters that do not print, or more than {_LONGEST}; "
                "expected a name for labels and messages: rename it"
            )
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise UserError(f"{what}: area {listing(repeated)} is there more than once; expected each area once")
    return tuple(map(str, names))
