"""Segment's and RudderStack's wire form, read into our events: track, identify, page, screen, group, alias.

Pure: a message goes in, an event and what it says about the customer come out. Field names are those of
https://segment.com/docs/connections/spec/ ; RudderStack sends an identify's traits in `context.traits` alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast
from uuid import uuid4

from dsl.ir import CHANNELS
from engine import customers
from engine.depth import DEEPEST, TOO_DEEP, depth
from engine.errors import Invalid
from engine.events import OWN, Incoming

__all__ = ["KINDS", "Malformed", "Read", "event_name", "read"]

KINDS = ("track", "identify", "page", "screen", "group", "alias")

_NAMES = {
    "order completed": "shop.purchased",
    "signed up": "shop.signed_up",
    "account created": "shop.signed_up",
}
_RESERVED = (*CHANNELS, "consent")
_DOTTED = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_LONGEST = 200
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=1)
_LARGEST = 20_000_000.0
_TRAITS = {
    "firstname": "first_name",
    "first_name": "first_name",
    "lastname": "last_name",
    "last_name": "last_name",
    "email": "email",
    "phone": "phone",
    "language": "language",
    "locale": "language",
    "timezone": "zone",
    "zone": "zone",
    "country": "country",
    "city": "city",
    "postcode": "postcode",
    "postalcode": "postcode",
    "postal_code": "postcode",
}
_ADDRESS = {
    "street": "address",
    "city": "city",
    "postalcode": "postcode",
    "postal_code": "postcode",
    "country": "country",
}


class Malformed(Exception):
    """A message that can't be read: which field, which value, and what it should be."""

    def __init__(self, field: str, value: object, message: str) -> None:
        super().__init__(message)
        shown = repr(value)
        self.field = field
        self.value = value
        self.reason = message
        self.message = f"{field}: {message} (got {shown if len(shown) <= 80 else shown[:79] + '…'})"


@dataclass(frozen=True, slots=True)
class Read:
    """A message as read: the event, what it says about the customer, and the purchase lines in it."""

    event: Incoming
    profile: Mapping[str, Any] | None = None
    """Clean fields of the customer, for an identify."""
    lines: Sequence[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])


def read(
    message: object,
    now: datetime,
    kind: str | None = None,
    *,
    sent_at: object = None,
    ident: str | None = None,
    source: str | None = None,
) -> Read:
    """Read one message. `kind` is the endpoint's, where the message does not say it; `sent_at` its batch's. Raises Malformed.

    `ident` and `source` are those of another wire form than Segment's, which was made into a message.
    """
    if not isinstance(message, dict):
        raise Malformed("message", message, "it must be an object")
    obj = cast("dict[str, Any]", message)
    _check_depth(obj)
    kind = kind or _text(obj, "type")
    if kind not in KINDS:
        raise Malformed("type", kind, f"it must be one of {', '.join(KINDS)}")
    name, payload = _named(kind, obj)
    customer = _customer(obj)
    at = _at(obj, now, obj.get("sentAt") or sent_at)
    given = obj.get("messageId")
    if ident is None:
        ident = uuid4().hex if given in (None, "") else _short("messageId", given)
    if ident.startswith(OWN):
        raise Malformed("messageId", ident, f"ids that begin with {OWN} are Parcours' own")
    event = Incoming(ident, name, at, customer, None, payload, source or kind)
    if kind == "identify":
        if customer is None:  # a visitor: known when she gives her id
            return Read(event)
        profile, refused = _profile(obj)
        return Read(replace(event, payload={"refused": refused} if refused else {}), profile)
    if name == "shop.purchased":
        return _purchase(event, ident)
    return Read(event)


def _check_depth(message: Mapping[str, Any]) -> None:
    deep = depth(message) - 1
    if deep > DEEPEST:
        raise Malformed(max(message, key=lambda name: depth(message[name])), deep, TOO_DEEP)


@lru_cache(maxsize=4096)
def event_name(given: str) -> str:
    """Our name of a tracked event: `Order Completed` is `shop.purchased`, `Loyalty Upgraded` is `loyalty.upgraded`.

    A name that is dotted snake_case already stays. The last word says what happened, as in Segment's own naming.
    """
    if _DOTTED.fullmatch(given):
        return given
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", given)
    words = [word for word in re.split(r"[^\w]+|_+", spaced.lower()) if word]
    known = _NAMES.get(" ".join(words))
    if known is not None:
        return known
    return ".".join(part for part in ("_".join(words[:-1]), words[-1]) if part) if words else ""


def _named(kind: str, obj: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    match kind:
        case "track":
            given = _text(obj, "event").strip()
            name = event_name(given)
            if not name or len(name) > _LONGEST:
                raise Malformed("event", given, f"an event's name has 1 to {_LONGEST} letters")
            if name.partition(".")[0] in _RESERVED:
                raise Malformed(
                    "event", given, f"names that begin with {name.partition('.')[0]} are Parcours' own; rename it"
                )
            return name, dict(_object(obj, "properties"))
        case "page" | "screen":
            payload = dict(_object(obj, "properties"))
            if obj.get("name"):
                payload.setdefault("name", obj["name"])
            return f"{kind}.viewed", payload
        case "group":
            return "group.joined", {
                "group_id": _short("groupId", obj.get("groupId")),
                "traits": dict(_object(obj, "traits")),
            }
        case "alias":
            return "customer.aliased", {"previous_id": _short("previousId", obj.get("previousId"))}
        case _:
            return "customer.identified", {}


def _customer(obj: Mapping[str, Any]) -> str | None:
    """The customer's id; None for a visitor who is anonymous still."""
    if obj.get("userId") in (None, ""):
        if obj.get("anonymousId") in (None, ""):
            raise Malformed("userId", obj.get("userId"), "userId or anonymousId is required")
        return None
    try:
        return customers.customer_id(obj["userId"], "userId")
    except Invalid as error:
        raise Malformed("userId", error.value, error.reason) from None


def _at(obj: Mapping[str, Any], now: datetime, sent_at: object) -> datetime:
    """When it happened, by the sender's clock. One that is ahead by up to a day is taken for now.

    A device's, which may be quite wrong, is set right by when it says that it sent this, as Segment does.
    """
    field = "timestamp" if obj.get("timestamp") is not None else "originalTimestamp"
    given = obj.get(field)
    if given is None:
        return now
    if field == "originalTimestamp" and isinstance(given, str) and isinstance(sent_at, str):
        with suppress(ValueError, TypeError, OverflowError):
            ago = datetime.fromisoformat(sent_at) - datetime.fromisoformat(given)
            return max(now - max(ago, timedelta(0)), _EARLIEST)
    try:
        at = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        raise Malformed(field, given, "it must be ISO 8601, as 2026-05-04T09:30:00.000Z") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise Malformed(field, given, "it is outside of the calendar") from None
    if at < _EARLIEST:
        raise Malformed(field, given, "it is before the year 2000; is the sender's clock set?")
    if at > now + _AHEAD:
        raise Malformed(
            field, given, f"it is more than a day ahead of {now:%Y-%m-%dT%H:%M:%SZ}; is the sender's clock right?"
        )
    return min(at, now)


def _profile(obj: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Her fields, and why some of them were refused: a wrong phone number is no reason to lose the batch that it came in."""
    context = _object(obj, "context")
    fields = _guessed(context)
    attributes: dict[str, Any] = {}
    traits = {**_object(context, "traits", "context."), **_object(obj, "traits")}
    if isinstance(traits.get("name"), str) and not {"firstName", "firstname", "first_name"} & set(traits):
        fields["first_name"], _, fields["last_name"] = traits["name"].strip().partition(" ")
    for name, value in traits.items():
        ours = _TRAITS.get(name.lower())
        if name.lower() == "address":
            parts = cast("dict[str, Any]", value).items() if isinstance(value, dict) else [("street", value)]
            fields |= {_ADDRESS[part.lower()]: text for part, text in parts if part.lower() in _ADDRESS}
        elif ours is not None:
            fields[ours] = str(value) if ours in {"phone", "postcode"} and isinstance(value, int) else value
        elif name not in {"id", "name"}:
            attributes[name] = value
    given = {**fields, "attributes": attributes} if attributes else fields
    refused: dict[str, str] = {}
    while True:
        try:
            return customers.clean(given), refused
        except Invalid as error:
            refused[error.field] = f"{error.reason} (got {str(error.value)[:80]!r})"
            del given[error.field]


def _guessed(context: Mapping[str, Any]) -> dict[str, Any]:
    """What a browser says of itself (its locale and zone): taken where it can be, and never worth a refusal."""
    fields: dict[str, Any] = {}
    for name in ("locale", "timezone"):
        value = context.get(name)
        if isinstance(value, str):
            with suppress(Invalid):
                fields |= customers.clean({_TRAITS[name]: value})
    return fields


def _purchase(event: Incoming, ident: str) -> Read:
    payload = dict(event.payload)
    given = payload.get("order_id", payload.get("orderId"))
    order = ident if given in (None, "") else _short("properties.order_id", given)
    products = payload.get("products")
    if products is not None and not isinstance(products, list):
        raise Malformed("properties.products", products, "it must be a list")
    refused: dict[str, str] = {}
    lines = [
        _line(product, index, order, event, refused) for index, product in enumerate(cast("list[Any]", products or []))
    ]
    total = next((payload[name] for name in ("total", "revenue", "value") if payload.get(name) is not None), None)
    if total is not None:
        payload["total"] = _amount("properties.total", total)
    elif lines:
        payload["total"] = sum(line["total"] for line in lines) / 100
    else:
        raise Malformed("properties.total", None, "a purchase has a total, or products with their prices")
    if not lines:
        category, product = (
            _name(f"properties.{name}", payload.get(name), refused) for name in ("category", "product")
        )
        lines = [_row(event, order, 0, category, product, 1, payload["total"])]
    payload["order_id"] = order
    if refused:
        payload["refused"] = refused
    top = max(lines, key=lambda line: line["total"])["category"]
    if payload.get("category") is None and top is not None:
        payload["category"] = top
    kept = Incoming(event.id, event.name, event.at, event.customer_id, None, payload, event.source)
    return Read(kept, None, lines if event.customer_id is not None else [])


def _line(product: object, index: int, order: str, event: Incoming, refused: dict[str, str]) -> dict[str, Any]:
    where = f"properties.products[{index}]"
    if not isinstance(product, dict):
        raise Malformed(where, product, "it must be an object")
    obj = cast("dict[str, Any]", product)
    given = obj.get("quantity")
    quantity = 1 if given is None else _amount(f"{where}.quantity", given)
    if quantity != int(quantity):
        raise Malformed(f"{where}.quantity", given, "it must be a whole number")
    if obj.get("total") is not None:
        total = _amount(f"{where}.total", obj["total"])
    elif obj.get("price") is not None:
        total = _amount(f"{where}.price", obj["price"]) * quantity
    else:
        total = 0.0
    key = next((key for key in ("name", "sku", "product_id", "productId") if obj.get(key) is not None), "name")
    name = _name(f"{where}.{key}", obj.get(key), refused)
    category = _name(f"{where}.category", obj.get("category"), refused)
    return _row(event, order, index, category, name, int(quantity), total)


def _name(field: str, value: object, refused: dict[str, str]) -> str | None:
    """The name of a category or product. One that is no text is left out of the line, and told: the sale was made."""
    if isinstance(value, int | float) and not isinstance(value, bool):  # an id that is a number
        value = str(value)
    if value is not None and not isinstance(value, str):
        refused[field] = f"it must be text (got {str(value)[:80]!r})"
        return None
    return value[:_LONGEST] if value is not None else None


def _row(
    event: Incoming, order: str, index: int, category: str | None, product: str | None, quantity: int, total: float
) -> dict[str, Any]:
    cents = round(total * 100)
    if abs(cents) > _LARGEST * 100:
        raise Malformed("properties.total", total, "too large an amount")
    return {
        "id": f"{order}:{index + 1}",
        "order_id": order,
        "customer_id": event.customer_id,
        "at": event.at,
        "category": category,
        "product": product,
        "quantity": quantity,
        "total": cents,
    }


def _amount(field: str, value: object) -> float:
    """A number, also as text (`"12.50"`), as some shops send it."""
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except (ValueError, OverflowError):  # an integer may be larger than any float
        number = math.nan
    if not math.isfinite(number) or abs(number) > _LARGEST:
        raise Malformed(field, value, "it must be a number")
    return number


def _text(obj: Mapping[str, Any], field: str) -> str:
    value = obj.get(field)
    if not isinstance(value, str) or not value:
        raise Malformed(field, value, "it is required, and must be text")
    return value


def _short(field: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise Malformed(field, value, f"it must be text of 1 to {_LONGEST} characters")
    return value


def _object(obj: Mapping[str, Any], field: str, above: str = "") -> Mapping[str, Any]:
    value = obj.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{above}{field}", value, "it must be an object")
    return cast("dict[str, Any]", value)
