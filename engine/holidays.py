"""Public holidays, by country: the calendars of the `holidays` package."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache

from dsl.planning import no_holiday

__all__ = ["holidays_of"]


@lru_cache(maxsize=256)
def holidays_of(country: str | None) -> Callable[[date], bool]:
    """Tells the nationwide public holidays of a country (ISO 3166 alpha-2). One that is not known has none."""
    if country is None:
        return no_holiday
    import holidays  # noqa: PLC0415  # only journeys that ask for holidays need the calendars

    try:
        calendar = holidays.country_holidays(country)
    except NotImplementedError:
        return no_holiday
    return lambda day: day in calendar
