"""A value by how a phone number begins: prices, senders. `4500 49=7500 590=9000` says 4500, but for +49… and +590…."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Prefixes"]


class Prefixes:
    """The longest beginning that fits counts; a value without one is for every other number. Empty: nothing is said."""

    def __init__(self, text: str) -> None:
        """Raises ValueError, naming the part that can't be read."""
        self._values: dict[str, str] = {}
        for part in re.split(r"[\s,]+", text.strip()):
            if not part:
                continue
            beginning, sign, value = part.partition("=")
            if not sign:
                beginning, value = "*", part
            digits = beginning.removeprefix("+").replace("*", "")
            if not value or not beginning or (digits and not digits.isdecimal()) or digits in self._values:
                raise ValueError(f"{part!r} can't be read; write it like 4500 49=7500, each beginning once")
            self._values[digits] = value
        self._longest = max(map(len, self._values), default=0)

    def of(self, number: str) -> str | None:
        """The value for a number in E.164."""
        digits = number.removeprefix("+")
        for length in range(self._longest, -1, -1):
            if digits[:length] in self._values:
                return self._values[digits[:length]]
        return None

    def __bool__(self) -> bool:
        return bool(self._values)

    def __iter__(self) -> Iterator[str]:
        """The beginnings, the general one (empty) first."""
        return iter(sorted(self._values))

    def values(self) -> list[str]:
        """The values, in the order of their beginnings."""
        return [self._values[beginning] for beginning in self]
