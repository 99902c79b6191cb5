"""Misspelt settings: what stands in a journey's class like one, and would be none."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from dsl.bodies import Draft
from dsl.entry import Active, Always, Api, Audience, Late, Never, Percent
from dsl.journey import SETTINGS, Journey
from dsl.knobs import Knob
from dsl.pointing import problem
from dsl.problems import JourneyError
from dsl.states import Stage
from dsl.triggers import Within

__all__ = ["misspelt"]

_ALSO = {"re_entry": "again", "reentry": "again", "time_zone": "zone", "timezone": "zone", "tz": "zone"}
"""What other engines call them."""
_OURS: tuple[type, ...] = (Knob, Stage)
_LONG = 5  # letters: shorter names are near to everything
_KINDS: dict[type, str] = {
    Percent: "holdout", Active: "while_active", Late: "late_answers", Never: "again", Always: "again", Audience: "enters",
    Api: "enters", Within: "goal",
}  # fmt: skip
"""What is made for one setting, and of no use by another name."""


def misspelt(draft: Draft) -> Iterator[JourneyError]:
    """A constant of the class that was meant to be a setting, by its name or by its kind. In capitals, it is the author's own."""
    for cls in draft.journey.__mro__:
        if cls is Journey or not issubclass(cls, Journey):
            continue
        named: dict[str, object] = dict(vars(cls))
        for name, value in named.items():
            own = name.startswith("_") or name.isupper() or callable(value) or isinstance(value, _OURS)
            if own or name in SETTINGS or name in draft.boxes:
                continue
            near = get_close_matches(name, SETTINGS, 1, 0.8) if len(name) >= _LONG else []
            meant = _KINDS.get(type(value)) or _ALSO.get(name) or (near[0] if near else None)
            if meant is not None:
                hint = f"did you mean `{meant}`? A constant of your own is written in capitals: {name.upper()}"
                yield problem("J112", f"`{name}` is no setting of a journey", draft.setting(name), help=hint)
