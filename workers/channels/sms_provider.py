"""What an SMS provider is to the channel, and what the providers share: answers of HTTP read as outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx

from engine.outgoing import Outgoing, Receipt
from workers.web import asked_wait

__all__ = ["RETRY", "TIMEOUT", "Asked", "Found", "Provider", "called", "said", "settled"]

RETRY = 60.0
TIMEOUT = 20.0
_LOOKS = (0.2, 1.0)
"""Seconds before each look whether a message is there whose call broke off."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that the provider may have, or not: what it is known by."""

    key: str
    sender: str
    address: str
    hash: str
    """sha256 of its content, as `Content.hash`."""
    since: datetime | None = None
    """Where it is known: by the clock on the wall, when we began to call. An equal text of before is another message."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the provider has of it."""

    provider_id: str
    status: str


class Provider(Protocol):
    """Hands messages over, one at a time."""

    async def send(self, message: Outgoing) -> Receipt:
        """Hand a message over. One that it may have, or not, is looked up; `unknown` is what stays in doubt."""
        ...

    async def look_up(self, asked: Asked, known: frozenset[str] = frozenset()) -> Found | None:
        """What it has of a message, whatever its id; `known` are ids of other messages of ours. None: it has none.

        Raises httpx.HTTPError where it can't be asked, and NotImplementedError where it knows no way.
        """
        ...


async def settled(provider: Provider, message: Outgoing, doubt: str, since: datetime) -> Receipt:
    """A call that broke off, settled by a look-up: sent, if the provider has it; else in doubt, and never sent again."""
    asked = Asked(message.key, message.content.sender, message.address, message.content.hash, since)
    for pause in _LOOKS:
        await asyncio.sleep(pause)
        try:
            found = await provider.look_up(asked)
        except (httpx.HTTPError, NotImplementedError):
            continue
        if found is not None:
            detail = f"{doubt}; the provider has it: {found.status}"[:300]
            return Receipt("sent", provider_id=found.provider_id, detail=detail, cost=message.content.cost)
    return Receipt("unknown", detail=doubt)


async def called(
    call: Callable[[], Awaitable[httpx.Response]], provider: Provider, message: Outgoing
) -> httpx.Response | Receipt:
    """The answer to a call; or, where there was none, what is known of the message."""
    since = datetime.now(UTC)
    try:
        reply = await call()
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:  # it never got there
        return Receipt("deferred", detail=f"{type(error).__name__}: {error}"[:300], retry_after=RETRY)
    except httpx.HTTPError as error:  # it was under way: the provider may have it
        return await settled(provider, message, f"{type(error).__name__}: {error}"[:200], since)
    if reply.status_code in {429, 503}:
        return Receipt(
            "deferred", detail=f"{reply.status_code} {reply.text[:200]}".strip(), retry_after=_seconds(reply)
        )
    if reply.status_code >= 500:
        return await settled(provider, message, f"{reply.status_code} {reply.text[:200]}".strip(), since)
    return reply


def said(reply: httpx.Response) -> Mapping[str, Any]:
    """The answer's JSON object, or its text as a message."""
    try:
        answer = reply.json()
    except ValueError:
        return {"message": reply.text[:200]}
    return answer if isinstance(answer, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # JSON


def _seconds(reply: httpx.Response) -> float:
    """When to ask again: a minute where it says nothing that can be read, and a day at most."""
    wait = asked_wait(reply)
    return RETRY if wait is None else min(max(1.0, wait), 86_400.0)
