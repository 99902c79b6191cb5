"""What a template knows: the names, their values for one customer, and strict access to them.

Values of customers are text, never code: they are cleaned of control characters here, and escaped by the renderer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.outgoing import Recipient

__all__ = ["KNOWN", "OFFER", "Brand", "Fields", "Loose", "clean", "facts_of", "suggest"]

KNOWN: Mapping[str, tuple[str, ...]] = {
    "customer": (
        "first_name", "last_name", "language", "country", "city", "postcode", "address", "email", "phone", "id",
    ),
    "orders": ("count", "total", "last_at", "first_at", "top_category", "top_categories"),
    "journey": ("name", "title"),
    "brand": ("name", "address", "url"),
}  # fmt: skip
"""The fields that every template knows, by the name they stand under. A customer has her attributes beside."""

OFFER = ("id", "name", "category", "price", "url", "picture", "text", "data")
"""The fields of an offer, None where it has none; `data` holds what else it has."""

_KEPT = {"\u200c", "\u200d", "\u200e", "\u200f"}  # joiners of emoji and scripts, marks of direction


@dataclass(frozen=True, slots=True)
class Brand:
    """The sender, as customers know it."""

    name: str = "Parcours"
    address: str = ""
    """Postal, on one line: a marketing mail must show it."""
    url: str = ""


class Fields:
    """A customer, her orders, the journey: values by name. An unknown name is an error that tells the known ones."""

    __slots__ = ("_name", "_values")

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self._name = name
        self._values = values

    def __getitem__(self, field: str) -> Any:
        return self._values[field]

    def __str__(self) -> str:
        return ""  # `{{ customer }}` says nothing useful, and must not tell everything

    def __contains__(self, field: object) -> bool:
        return field in self._values

    def __repr__(self) -> str:
        return self._name

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)


class Loose(dict[str, Any]):
    """What an offer has of its own: offers differ, so what one doesn't have is None."""

    def __missing__(self, name: str) -> None:
        return None

    def __str__(self) -> str:
        return ""  # `{{ offer.data }}` says nothing useful


def suggest(word: str, known: Sequence[str]) -> str:
    """Did you mean …? And what there is."""
    near = get_close_matches(word, known, n=1)
    mean = f"did you mean {near[0]!r}? " if near else ""
    return f"{mean}known: {', '.join(known)}"


def clean(text: str) -> str:
    """One line of text: no control characters, no line ends, no marks that turn the direction of what follows."""
    if text.isprintable():  # it has none of them
        return text.strip()
    return "".join(
        " " if each in "\n\r\t\v\f\x85\u2028\u2029" else each
        for each in text
        if each in "\n\r\t\v\f\x85" or each in _KEPT or unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Co"}
    ).strip()


def facts_of(recipient: Recipient, facts: Mapping[str, Any], brand: Brand, now: datetime) -> dict[str, Any]:
    """The values of a template's names for one customer, cleaned; moments in her zone."""
    zone = _zone(recipient.zone)
    customer: dict[str, Any] = {
        field: clean(getattr(recipient, field) or "") if field != "address" else _one_line(recipient.address)
        for field in KNOWN["customer"]
    }
    for name, value in (recipient.attributes or {}).items():
        customer.setdefault(str(name), _cleaned(value))
    given = facts.get("orders")
    top = [clean(str(each)) for each in _of(given, "top_categories") or ()]
    orders: dict[str, Any] = {
        "count": _of(given, "count") or 0,
        "total": _of(given, "total") or 0,
        "last_at": _local(_of(given, "last_at"), zone),
        "first_at": _local(_of(given, "first_at"), zone),
        "top_category": clean(str(_of(given, "top_category") or (top[0] if top else ""))),
        "top_categories": top,
    }
    journey = facts.get("journey")
    return {
        "customer": customer,
        "orders": orders,
        "journey": {"name": str(_of(journey, "name") or ""), "title": str(_of(journey, "title") or "")},
        "brand": {"name": brand.name, "address": brand.address, "url": brand.url},
        "offers": [_offer(each) for each in facts.get("offers") or ()],
        "today": _local(now, zone),
    }


def _offer(given: Mapping[str, Any]) -> dict[str, Any]:
    """An offer as `engine.offers` gives it, with every field that templates know."""
    return {**{name: _cleaned(given.get(name)) for name in OFFER}, "data": _cleaned(dict(given.get("data") or {}))}


def _one_line(address: str | None) -> str:
    return ", ".join(part for line in (address or "").splitlines() if (part := clean(line)))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
    if isinstance(value, dict):
        return {str(name): _cleaned(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


def _of(given: Any, name: str) -> Any:
    if isinstance(given, Mapping):
        return given.get(name)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return getattr(given, name, None)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _local(moment: Any, zone: ZoneInfo) -> datetime | None:
    return moment.astimezone(zone) if isinstance(moment, datetime) else None
