"""Carried: whether an event's payload has the facts that it is asked for.

A class of facts belongs to the events that are declared to carry it: `purchased = event(Purchase)`. They are asked for its facts,
and for those of classes that derive from it, and for no others. An own event that declares nothing may carry anything; an answer
of a channel that does carries no facts that others do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from dsl.expression import Expression
from dsl.fact_kinds import Fact
from dsl.ir import CHANNELS
from dsl.problems import LanguageError, meant

if TYPE_CHECKING:
    from dsl.facts import Payload

__all__ = ["check_carried"]


def check_carried(event: str, carries: type[Payload] | None, facts: Iterable[Expression]) -> None:
    """Raises LanguageError for the first fact that the event of this name doesn't carry."""
    for fact in facts:
        owner = cast("type[Payload] | None", getattr(fact, "owner", None))
        if owner is not None and not _has(event, carries, owner):
            from dsl.said import event_word  # noqa: PLC0415  # what says triggers knows them, not the other way round

            fact_name = next(name for name in _names(owner) if getattr(owner, name).expression is fact)
            what = event_word(event) if event else "this event"
            text = f"`{fact_name}` is a fact of {owner.__name__}, which {what} doesn't carry"
            raise LanguageError(text, _way_out(carries, owner, fact_name), code="J151")


def _has(event: str, carries: type[Payload] | None, owner: type[Payload]) -> bool:
    if carries is None:
        return event.partition(".")[0] not in CHANNELS or not owner.carried_by
    return issubclass(owner, carries) or issubclass(carries, owner)  # an heir's fact may be its base's


def _way_out(carries: type[Payload] | None, owner: type[Payload], fact: str) -> str:
    if carries is None:
        return f"it comes with {', '.join(owner.carried_by)}"
    if owner.carried_by:
        return f"it carries {carries.__name__}: {meant(fact, _names(carries))}"
    return f"if it carries that as well, derive it: `class {owner.__name__}({carries.__name__})`"


def _names(carries: type[Payload]) -> list[str]:
    return [name for name in dir(carries) if isinstance(getattr(carries, name), Fact)]
