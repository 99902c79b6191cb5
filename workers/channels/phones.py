"""Phone numbers in normal form: E.164, read as a customer's country writes them."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

__all__ = ["e164"]

_FICTIONAL = {1: r"\d{3}555\d{4}", 33: r"63998\d{4}", 44: r"7700900\d{3}"}
"""By country code, the numbers for films and made-up people that aren't valid ones besides (NANPA; ARCEP; Ofcom)."""


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
    """Numbers which no phone has: the right ones for made-up people, refused by a real provider."""
    return re.fullmatch(_FICTIONAL.get(parsed.country_code or 0, "$^"), str(parsed.national_number)) is not None
