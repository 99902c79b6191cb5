"""What a cell of a file says: a moment, an amount, yes or no. Each raises Invalid with the column and the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from dsl.ir import CHANNELS
from engine.errors import Invalid

__all__ = ["cents", "channel", "decimal", "flag", "moment", "needed", "past", "short", "whole"]

_YES = {"yes", "y", "true", "t", "1", "oui", "ja", "si", "sí"}
_NO = {"no", "n", "false", "f", "0", "non", "nein"}
_SPACES = re.compile(r"[\s\u00a0\u202f']")
_MOST = 2**31 - 1


def short(field: str, cells: Mapping[str, str]) -> str:
    """The text of a cell that is looked things up by. Raises Invalid for one longer than any index takes."""
    text = cells.get(field, "").strip()
    if len(text) > 200:
        raise Invalid(field, text, "it may have 200 characters at most")
    return text


def needed(field: str, cells: Mapping[str, str]) -> str:
    """As `short`, of a cell that must say something."""
    text = short(field, cells)
    if not text or not text.isprintable():
        raise Invalid(field, cells.get(field, ""), "it must be text, and not empty")
    return text


def channel(cells: Mapping[str, str]) -> str:
    """One of our channels."""
    name = short("channel", cells).lower()
    if name not in CHANNELS:
        raise Invalid("channel", cells.get("channel", ""), f"it must be one of {', '.join(CHANNELS)}")
    return name


def cents(field: str, text: str, times: int | None = None) -> int:
    """Whole cents of an amount in currency units, as `12.50`, `12,50` or `1 250,00`; of a price with `times`, rounded."""
    amount = decimal(field, text) * 100
    if times is not None:
        amount = (amount * times).to_integral_value(ROUND_HALF_UP)
    if abs(amount) > _MOST:
        raise Invalid(field, text, "too large an amount")
    if amount != amount.to_integral_value():
        raise Invalid(field, text, "an amount has two decimals at most")
    return int(amount)


def decimal(field: str, text: str) -> Decimal:
    """A number, with a point or a comma."""
    plain = _SPACES.sub("", text)
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    if not re.fullmatch(r"[+-]?\d{1,15}(\.\d{0,6})?", plain):
        raise Invalid(field, text, "not a number; write it as 1250.50 or 1250,50")
    try:
        return Decimal(plain)
    except InvalidOperation:
        raise Invalid(field, text, "not a number") from None


def whole(field: str, text: str) -> int:
    """A whole number."""
    number = decimal(field, text)
    if number != number.to_integral_value() or abs(number) > _MOST:
        raise Invalid(field, text, "it must be a whole number")
    return int(number)


def moment(field: str, text: str, zone: ZoneInfo) -> datetime:
    """A moment in UTC; without a zone it is in `zone`."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid(field, text, "not a date; write it as 2026-05-04 or 2026-05-04T09:30:00+02:00") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    if not 1970 < at.year < 9999:  # what every zone and both databases can hold
        raise Invalid(field, text, "not in a year that a customer can have bought in")
    return at.astimezone(UTC)


def past(field: str, text: str, zone: ZoneInfo, now: datetime, what: str) -> datetime:
    """A moment that is not of the future."""
    at = moment(field, text, zone)
    if at > now:
        raise Invalid(field, text, f"{what} can't be of the future (it is {now:%Y-%m-%d %H:%M} UTC)")
    return at


def flag(field: str, text: str) -> bool:
    """Yes or no."""
    word = text.strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise Invalid(field, text, "it must be yes or no")
