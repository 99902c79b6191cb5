"""The pace: a rate that processes share, with a share for whoever is not to wait."""

from __future__ import annotations

import pytest

from engine import pace
from engine.db import Database


def take(db: Database, count: int = 1, *, planned: bool, rate: float = 10.0, name: str = "smtp") -> float:
    with db.write() as conn:
        return pace.take(conn, name, rate, count, planned=planned)


def test_S6_places_follow_at_the_rate_whoever_takes_them(db: Database) -> None:
    assert take(db, planned=False) == 0
    assert take(db, 50, planned=False) == pytest.approx(0.1, abs=0.05)
    assert take(db, planned=False) == pytest.approx(5.1, abs=0.1)
    assert take(db, planned=False, name="another") == 0


def test_S6_a_mass_send_leaves_a_share(db: Database) -> None:
    """A hundred places of ten a second take ten seconds of the whole; of its share of four fifths, twelve and a half."""
    assert take(db, 100, planned=True) == 0
    assert take(db, planned=True) == pytest.approx(12.5, abs=0.2)
    assert take(db, 5, planned=False) == pytest.approx(10.1, abs=0.2)
    assert take(db, planned=True) == pytest.approx(12.6, abs=0.2)


def test_S6_who_is_urgent_may_have_it_all(db: Database) -> None:
    assert take(db, 100, planned=False) == 0
    assert take(db, planned=True) == pytest.approx(10.0, abs=0.1)
