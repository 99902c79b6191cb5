"""Consequences: problems that another one has brought with it. One mistake is told once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dsl.bodies import Draft
from dsl.problems import JourneyError
from dsl.states import State

__all__ = ["told_once"]

_FOLLOW = ("J102", "J106", "J150")
"""What an arrow to something that was a box may be."""


def told_once(draft: Draft, problems: Iterable[JourneyError]) -> list[JourneyError]:
    """The problems but for these: of an arrow to a box that an heir made something else (J108); that `__init__` is a box (J107)."""
    boxes = {name for cls in draft.journey.__mro__ for name, value in vars(cls).items() if isinstance(value, State)}
    lost = "|".join(re.escape(name) for name in sorted(boxes - draft.boxes.keys()))
    told = list(problems)
    if lost:
        told = [each for each in told if each.code not in _FOLLOW or not re.search(rf"\.(?:{lost})\b", each.source)]
    return [each for each in told if each.code != "J102"] if "__init__" in draft.boxes else told
