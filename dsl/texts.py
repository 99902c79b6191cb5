"""What is checked of the texts that a journey keeps: they can be stored and sent everywhere, and names fit everywhere.

PostgreSQL keeps no NUL, no encoding has lone surrogates, an index has no room for a page of text, and whoever reads a table or
a log is not to have her terminal commanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from dsl.bodies import Draft
from dsl.ir import IR
from dsl.ir_json import to_json
from dsl.place import Place
from dsl.pointing import problem
from dsl.problems import JourneyError
from dsl.settings import stable_name

__all__ = ["check_texts"]

_UNFIT: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, but for tabs and ends of lines; lone surrogates."""
LONGEST_NAME: Final = 100
LONGEST_TEXT: Final = 200
LONGEST_PROSE: Final = 10_000
_PROSE: Final = ("doc", "label")
_WORDS: Final = {"doc": "docstring", "literal": "text"}
"""What an author calls it."""


def check_texts(draft: Draft, journey: IR) -> Iterator[JourneyError]:
    """Every text of the compiled journey that could not be kept."""
    names = [(stable_name(draft.journey), draft.place)]
    names += [(box.name, box.place) for box in draft.boxes.values()]
    names += [(group.name, group.place) for group in draft.stages.values()]
    long = [(name, place) for name, place in names if len(name) > LONGEST_NAME]
    for name, place in long:
        text = f"`{name[:20]}…` has {len(name)} letters: a name has at most {LONGEST_NAME}"
        yield problem("J107", text, place, help="what needs explaining goes into the docstring")
    if long:
        return  # the arrows that lead there would say it again
    obj = to_json(journey)
    for key, value in obj.items():
        match key:
            case "states" | "stages":
                for part in cast("list[Mapping[str, object]]", value):
                    yield from _texts(part, _place(draft, str(part["name"])), key)
            case "notes":
                for name, note in cast("Mapping[str, object]", value).items():
                    yield from _texts(note, _place(draft, name), key)
            case _:
                yield from _texts(value, draft.place, key)


def _place(draft: Draft, name: str) -> Place:
    return draft.boxes[name].place if name in draft.boxes else draft.stages[name].place


def _texts(value: object, place: Place, key: str) -> Iterator[JourneyError]:
    """Everything that is a text in a piece of JSON, under the key that says what it is."""
    if isinstance(value, str):
        yield from _text(value, place, key)
    elif isinstance(value, Mapping):
        for name, each in cast("Mapping[str, object]", value).items():
            yield from _texts(each, place, name)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each, place, key)


def _text(text: str, place: Place, key: str) -> Iterator[JourneyError]:
    word = _WORDS.get(key, key)
    most = LONGEST_PROSE if key in _PROSE else LONGEST_TEXT
    if len(text) > most:
        yield problem("J114", f"this {word} has {len(text)} letters: at most {most} are kept", place)
    wrong = _UNFIT.search(text)
    if wrong is not None:
        said = f"this {word} has a character that can't be kept: {wrong[0]!a}"
        yield problem("J114", said, place, help="write text: no control characters, and no halves of a character")
