"""Patterns that are looked for in a reply: what may take for ever is refused, and what is accepted takes no time."""

from __future__ import annotations

from datetime import UTC, datetime
from time import process_time

import pytest

from dsl import LanguageError, Reply, Sms
from dsl.expression import Facts
from dsl.patterns import LONGEST, check_pattern, found

FINE = [
    "oui|yes", "squeak|brake|gear", r"\b\d{5}\b", r"\d{1,2}\s*h\s*\d{0,2}", "(pas|plus).*(envie|besoin)", "rendez.?vous", "",
    "(?:non,? )?merci", "[a-z]+@[a-z]+", "(oui|non)+", "(ha)+", "(?i)stop", r"^\s*(stop|arr[êe]t)", r"^\W*(yes|ok|okay|oui)\b",
    r"\w+ \w+", "(?<=a)b", "(a)(?(1)b|c)", "a++b", "(?>a+)b", r"(\w)\1", "é{2,3}", "[^,]*,", "a{5}", "(a{2}b){3}",
    "[а-я]+ок", "^$", r"(?:[a-z]x)+", "(oui|yes|si|ja|tak|ok|da|hai)", "(a|ab)c", r"rappelez(-moi)? (le )?(\d{2}[ .]?){5}",
    r"(\w+\s)+!", "(a+,)+", "(ab?)+c", ".*oui.*", r"([a-z]|\w)+!", "(A|a)+b", r"a*\S\D", "[^a]b*",
]  # fmt: skip
REPEATS = [
    "(a+)+$", "(a*)*", "(.*)*x", "(a?){30}a{30}", r"(\w+\s?)+$", "(?=(a+)+b)c", "((a|b)+)+", r"(\w+\s*)+!", "(a?b?)+c",
    r"(?:(\w)\1)+", r"(x(\w+)?)+!",
]  # fmt: skip
ALIKE = ["(a|ab)+$", "(|a)+b", "(ss|s)+x", "(a|b|ab)*c", "(É|éa)+!", "(?:(a)|(?(1)ab|c))+"]
MANY = [
    "a?" * 30 + "a" * 30,
    r"\w*\w*x",
    "a.*b.*c",
    "[а-я]*[б-ю]*!",
    r"(oui|ok).*\w*!",
    "(a|a)" * 30 + "b",
    r"\w{0,999}\w+-",
]
PUMPS = ["a", "ab", "oui", "ok ", "a,", "é", "12 ", "ha", "x", " ", "б", "aa b", "!"]


@pytest.mark.parametrize("pattern", FINE)
def test_an_accepted_pattern_takes_no_time_whatever_she_writes(pattern: str) -> None:
    check_pattern(pattern)
    began = process_time()
    for pump in PUMPS:
        found(pattern, pump * 5000)
    assert process_time() - began < 5, "a tenth of a second for a text, and that on a machine that has much to do"


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        *((pattern, "repeats what may end in several places") for pattern in REPEATS),
        *((pattern, "repeats a choice whose parts may begin alike") for pattern in ALIKE),
        *((pattern, "may end in too many places") for pattern in MANY),
        ("(", "is no regular expression"),
        ("a{99999999999999999999}", "is no regular expression"),
        ("(" * 5000 + ")" * 5000, "is no regular expression"),
    ],
)
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Reply.words.matches(pattern)


def test_the_beginning_of_a_text_is_searched() -> None:
    asks = Reply.words.matches("stop")
    text = "." * (LONGEST - 4)
    said = [Facts(payload={"text": each}) for each in (f"{text}STOP", f"{text}.STOP")]
    assert [asks.evaluate(each, datetime(2026, 3, 1, tzinfo=UTC)) for each in said] == [True, False]


@pytest.mark.parametrize("word", ["yes please", "", " yes", "l'oui", "!", 3, None])
def test_a_keyword_is_one_word(word: object) -> None:
    with pytest.raises(LanguageError, match="keyword"):
        Sms.replied.keyword(word)  # pyright: ignore[reportArgumentType]  # an author without a type checker
