"""Phone numbers in normal form: E.164, read as a customer's country writes them."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers

__all__ = ["e164"]


@lru_cache(maxsize=16_384)
def e164(number: str, country: str) -> str | None:
    """`+33612345678` for `06 12 34 56 78` in FR; None for what is no number there."""
    try:
        parsed = phonenumbers.parse(number, country.upper())
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed) and not _fictional(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _fictional(parsed: phonenumbers.PhoneNumber) -> bool:
    """Numbers which no phone has (555 in North America): the right ones for made-up people, refused by a real provider."""
    return (
        phonenumbers.is_possible_number(parsed)
        and str(parsed.national_number)[3:6] == "555"
        and parsed.country_code == 1
    )
