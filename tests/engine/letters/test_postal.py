"""Addresses by each country's rules, and what can't be delivered, with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kit.naughty import NAUGHTY

from engine.letters.postal import LINES, WIDTH, Undeliverable, postal, town_of
from engine.templating.checking import SAMPLE


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({}, ("Camille Martin", "12 avenue de la République", "75011 PARIS")),
        ({"country": None}, ("Camille Martin", "12 avenue de la République", "75011 PARIS")),
        (
            {"country": "DE", "address": "Hof 2\nHauptstraße 5", "postcode": "10115", "city": "Berlin"},
            ("Camille Martin", "Hof 2", "Hauptstraße 5", "10115 BERLIN", "GERMANY"),
        ),
        (
            {"country": "GB", "city": "London", "postcode": "sw1a 1aa"},
            ("Camille Martin", "12 avenue de la République", "LONDON", "SW1A 1AA", "UNITED KINGDOM"),
        ),
        (
            {"country": "US", "city": "Austin", "postcode": "78701", "attributes": {"region": "TX"}},
            ("Camille Martin", "12 avenue de la République", "AUSTIN, TX 78701", "UNITED STATES"),
        ),
        (
            {"country": "US", "city": "San José", "postcode": "95112", "attributes": {"region": "california"}},
            ("Camille Martin", "12 avenue de la République", "SAN JOSÉ, CA 95112", "UNITED STATES"),
        ),
        (
            {"country": "AU", "city": "Sydney", "postcode": "2000", "attributes": {"region": "New South Wales"}},
            ("Camille Martin", "12 avenue de la République", "SYDNEY NSW 2000", "AUSTRALIA"),
        ),
        (
            {"country": "us", "city": "Austin", "postcode": "78701"},
            ("Camille Martin", "12 avenue de la République", "AUSTIN 78701", "UNITED STATES"),
        ),
        (
            {"country": "CH", "city": "Zürich", "postcode": "CH-8001"},
            ("Camille Martin", "12 avenue de la République", "CH-8001 Zürich", "SWITZERLAND"),
        ),
        (
            {"country": "IE", "city": "Dublin", "postcode": None},
            ("Camille Martin", "12 avenue de la République", "DUBLIN", "IRELAND"),
        ),
        (
            {"country": "JP", "city": "Chiyoda", "postcode": "100-0001", "attributes": {"region": "Tokyo"}},
            ("Camille Martin", "12 avenue de la République", "Chiyoda, TOKYO", "100-0001", "JAPAN"),
        ),
        (
            {"address": "Résidence des Tilleuls, bâtiment C, escalier 4, porte 12"},
            ("Camille Martin", "Résidence des Tilleuls, bâtiment C,", "escalier 4, porte 12", "75011 PARIS"),
        ),
        (
            {"first_name": "Camille 🦊", "last_name": "Nguyễn"},
            ("Camille Nguyễn", "12 avenue de la République", "75011 PARIS"),
        ),
    ],
)
def test_a_country_has_its_own_form(change: dict[str, Any], lines: tuple[str, ...]) -> None:
    assert postal(replace(SAMPLE, **change), "FR").lines == lines


@pytest.mark.parametrize(
    ("line", "country", "parts"),
    [
        ("75001 Paris", "FR", ("Paris", "", "75001")),
        ("Austin, TX 78701", "US", ("Austin", "TX", "78701")),
        ("London SW1A 1AA", "gb", ("London", "", "SW1A 1AA")),
        ("CH-8001 Zürich", "CH", ("Zürich", "", "8001")),
        ("1012 AB Amsterdam", "NL", ("Amsterdam", "", "1012 AB")),
        ("Hong Kong", "HK", ("Hong Kong", "", "")),
        ("75001", "FR", ("75001", "", "")),
        ("", "FR", ("", "", "")),
        ("75001 Paris", "XX", ("75001 Paris", "", "")),
    ],
)
def test_a_line_has_town_region_and_postcode(line: str, country: str, parts: tuple[str, str, str]) -> None:
    assert town_of(line, country) == parts


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"address": None}, "there is no street"),
        ({"address": " \n "}, "there is no street"),
        ({"address": "12"}, "'12' names no street"),
        ({"postcode": ""}, "there is no postcode"),
        ({"city": None}, "there is no town"),
        ({"first_name": "", "last_name": ""}, "there is no name"),
        ({"country": "XX"}, "no country has the code 'XX'"),
        ({"country": "../x"}, "no country has the code '../X'"),
        ({"postcode": "7501"}, "'7501' is no postcode of FR (they are like 33380, 34092)"),
        ({"first_name": "محمد"}, "the letters' face can't print 'محمد Martin'"),
        ({"address": "x" * 39}, f"'{'x' * 39}' is longer than the 38 characters of a line"),
        ({"address": "\n".join("abcdef")}, "the address has 8 lines, a window shows 6"),
    ],
)
def test_S3_what_cant_be_delivered_says_why(change: dict[str, Any], reason: str) -> None:
    her = replace(SAMPLE, **change)
    with pytest.raises(Undeliverable) as error:
        postal(her, "FR")
    assert str(error.value) == reason


@pytest.mark.parametrize("field", ["first_name", "address", "city", "postcode", "country"])
def test_whatever_stands_there_it_fits_the_window_or_is_refused(field: str) -> None:
    for text in NAUGHTY:
        try:
            lines = postal(replace(SAMPLE, **{field: text}), "FR").lines
        except Undeliverable:
            continue
        assert 0 < len(lines) <= LINES
        assert all(0 < len(line) <= WIDTH and "\n" not in line for line in lines)
