"""What a refusal means for the address, by real servers' words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.mail.codes import HARD, OURS, SOFT, enhanced, kind_of


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("5.1.1", "550 5.1.1 The email account that you tried to reach does not exist.", "hard"),
        (None, "550 5.1.1 <x@y.example>: Recipient address rejected: User unknown in virtual table", "hard"),
        ("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", "hard"),
        ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled.", "hard"),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "hard"),
        ("5.4.4", "Host or domain name not found", "hard"),
        ("5.0.0", "550 Unknown user", "hard"),
        (None, "550 No such user here", "hard"),
        ("5.0.0", "554 delivery error: dd This user doesn't have a yahoo.com account (zoe@yahoo.com) [0]", "hard"),
        ("5.5.0", "550 Requested action not taken: mailbox unavailable", "hard"),
        ("5.2.2", "552 5.2.2 The email account that you tried to reach is over quota.", "soft"),
        ("5.1.1", "452 4.2.2 mailbox full", "hard"),
        ("4.2.2", "452 4.2.2 mailbox full", "soft"),
        ("4.4.7", "delivery time expired", "soft"),
        ("5.4.7", "delivery time expired", "soft"),
        (None, "552 mailbox is full", "soft"),
        (None, "421 try again later", "soft"),
        ("5.0.0", "quota exceeded", "soft"),
        ("5.7.1", "550 5.7.1 Message rejected as spam by Content Filtering.", "undetermined"),
        ("5.7.26", "550 5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy", "undetermined"),
        ("5.7.1", "550 5.7.1 User unknown", "hard"),
        (None, "554 Service unavailable; Client host [192.0.2.1] blocked using Spamhaus", "undetermined"),
        ("5.6.0", "content can't be converted", "undetermined"),
        ("5.3.4", "message too big", "undetermined"),
        ("5.1.8", "sender's domain not found", "undetermined"),
        ("5.7.13", "user account disabled", "hard"),
        (None, "", "undetermined"),
        ("5.9.9", "no reason", "undetermined"),
    ],
)
def test_a_code_then_the_words_say_what_a_refusal_means(code: str | None, words: str, kind: str) -> None:
    assert kind_of(code, words) == kind


def test_every_code_of_the_table_means_what_the_table_says() -> None:
    assert {code: kind_of(code) for code in HARD} == dict.fromkeys(HARD, "hard")
    assert {kind_of(code if code.count(".") == 2 else f"{code}.0") for code in SOFT} == {"soft"}
    assert {kind_of(code if code.count(".") == 2 else f"{code}.99") for code in OURS} == {"undetermined"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("smtp; 550 5.1.1 unknown", "5.1.1"),
        ("550-5.01.001 x", "5.1.1"),
        ("from 192.5.1.1", None),
        ("version 5.1.1.2", None),
        ("x", None),
    ],
)
def test_a_code_is_found_among_words(words: str, code: str | None) -> None:
    assert enhanced(words) == code


@given(st.text(max_size=300), st.none() | st.from_regex(r"\A\d\.\d{1,3}\.\d{1,3}\Z"))
def test_anything_has_a_meaning(words: str, code: str | None) -> None:
    assert kind_of(code, words) in {"hard", "soft", "undetermined"}
