"""JSON of somebody else's: read field by field, so that a shape which nobody promised raises nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from engine.mail.event import clean

__all__ = ["Fields"]

_LONGEST = 4000


class Fields:
    """A JSON object, or what should have been one: what isn't there, or is of another type, is empty."""

    def __init__(self, value: object) -> None:
        self._value: Mapping[str, Any] = cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}

    def text(self, *path: str) -> str:
        """The text, or the number as a text, under these names."""
        found = self._at(path)
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            return ""
        return clean(str(found), _LONGEST)

    def whole(self, name: str) -> str:
        """The text under a name as it stands."""
        found = self._value.get(name)
        return found if isinstance(found, str) else ""

    def flag(self, *path: str) -> bool:
        """Whether it says yes."""
        return self._at(path) is True

    def inner(self, *path: str) -> Fields:
        """The object under these names."""
        return Fields(self._at(path))

    def each(self, *path: str) -> Iterator[Fields]:
        """The objects of the list under these names."""
        found = self._at(path)
        if isinstance(found, list):
            yield from (Fields(each) for each in cast("list[object]", found))

    def texts(self, *path: str) -> list[str]:
        """The texts of the list under these names."""
        found = self._at(path)
        items = cast("list[object]", found) if isinstance(found, list) else []
        return [clean(each, _LONGEST) for each in items if isinstance(each, str)]

    def moment(self, *path: str) -> datetime | None:
        """A time: ISO 8601, or seconds since 1970. None if it is none."""
        given = self.text(*path)
        try:
            found = datetime.fromisoformat(given) if not given.replace(".", "", 1).isdecimal() else None
            found = found or datetime.fromtimestamp(float(given), UTC)
        except (ValueError, OverflowError, OSError):
            return None
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)

    def _at(self, path: tuple[str, ...]) -> object:
        value: object = self._value
        for name in path:
            value = cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None
        return value
