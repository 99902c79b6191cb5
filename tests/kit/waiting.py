"""Transactions that wait for each other, on PostgreSQL: tests let one wait before the other goes on."""

from __future__ import annotations

import time

from engine.db import Database

__all__ = ["waiting"]


def waiting(db: Database, transactions: int) -> None:
    """Until so many transactions of this database wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with db.read() as conn:
            if conn.exec_driver_sql(query).scalar_one() >= transactions:
                return
        time.sleep(0.01)
    raise AssertionError(f"no {transactions} transactions wait")
