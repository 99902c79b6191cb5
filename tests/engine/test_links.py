"""Signed links: what we made reads back, everything else is refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.links import ForgedLink, Links
from engine.sms.twilio import sign_twilio, verify_twilio

LINKS = Links("https://journeys.example/", b"a key")
KEYS = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=60)


def tail(url: str) -> str:
    return url.rpartition("/")[2]


@given(KEYS, st.integers(0, 99))
def test_every_token_reads_back(key: str, index: int) -> None:
    assert LINKS.read_click(tail(LINKS.click(key, index))) == (key, index)
    assert LINKS.read_open(tail(LINKS.open_pixel(key))) == key
    assert LINKS.read_unsubscribe(tail(LINKS.unsubscribe(key))) == key
    assert LINKS.read_unsubscribe(LINKS.unsubscribe_token(key)) == key
    assert LINKS.read_return_path(LINKS.return_path(key)) == key
    assert Links.read_letter(tail(LINKS.letter(LINKS.code(key)))) == LINKS.code(key)


@given(KEYS, st.integers(0, 60), st.sampled_from(string.ascii_letters + string.digits + "._-"))
def test_a_changed_token_is_forged(key: str, at: int, other: str) -> None:
    token = tail(LINKS.click(key, 1))
    changed = token[: at % len(token)] + other + token[at % len(token) + 1 :]
    if changed != token:
        with pytest.raises(ForgedLink):
            LINKS.read_click(changed)


def test_a_token_is_good_for_one_purpose_and_one_key_of_ours() -> None:
    with pytest.raises(ForgedLink, match="signature"):
        LINKS.read_unsubscribe(tail(LINKS.open_pixel("1-0-0")).removesuffix(".gif"))
    with pytest.raises(ForgedLink, match="signature"):
        LINKS.read_click(tail(Links("https://journeys.example", b"another key").click("1-0-0", 0)))
    with pytest.raises(ForgedLink, match="signature"):
        LINKS.read_click(tail(LINKS.click("1-0-0", 0)).replace("1-0-0.0.", "1-0-0.1."))
    with pytest.raises(ForgedLink, match="cut off"):
        LINKS.read_click(tail(LINKS.click("1-0-0", 0))[:-1])


def test_a_letters_code_is_read_as_people_type_it() -> None:
    code = LINKS.code("12-1-0")
    shown = Links.show_code(code)
    assert shown == f"{code[:5]}-{code[5:]}"
    assert Links.read_letter(f" {shown.lower().replace('-', ' – ')} ") == code
    assert not set(code) & set("01ILOAEUZSGB")
    with pytest.raises(ForgedLink, match="10 characters"):
        Links.read_letter("12345")


def test_a_return_path_fits_an_address_and_outlives_folded_case() -> None:
    local = LINKS.return_path("123456789-12-0")
    assert len(local) <= 64
    assert LINKS.read_return_path(local.upper().replace("BOUNCE+", "bounce+")) == "123456789-12-0"
    with pytest.raises(ForgedLink):
        LINKS.read_return_path(local.replace("123456789", "123456788"))


def test_letters_of_other_alphabets_in_a_signature_are_a_forgery() -> None:
    local = LINKS.return_path("1-1-0")
    with pytest.raises(ForgedLink):
        LINKS.read_return_path(local[:-16] + "\N{LATIN SMALL LETTER LONG S}" * 16)
    name, _, _ = LINKS.media("tea/leaf.jpg").rpartition("/m/")[2].partition("/")
    with pytest.raises(ForgedLink):
        LINKS.read_media("é" * len(name), "tea/leaf.jpg")


def test_K7_a_feeds_token_tells_nothing_and_changes_by_generation() -> None:
    token = LINKS.feed_token("customer-1")
    assert len(token) == 43
    assert "customer" not in token
    assert token == LINKS.feed_token("customer-1", 0) != LINKS.feed_token("customer-1", 1)
    assert Links.read_feed(f"{token}.xml") == Links.read_feed(f"{token}.atom") == token


def test_twilios_signature_is_the_one_of_its_own_tests() -> None:
    # The vector of twilio-python, tests/unit/test_request_validator.py
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    assert sign_twilio(url, form, "12345") == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert verify_twilio(url, form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "12345")
    assert verify_twilio(url.replace(".com", ".com:443"), form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "12345")
    assert not verify_twilio(url, {**form, "Digits": "1235"}, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "12345")
    assert not verify_twilio(url, form, "ünsigned", "12345")
