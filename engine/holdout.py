"""The hold-out: who is kept without contact, so that the others' result can be compared with hers.

A pure function of customer and salt (behaviour M1): the same customer is held out in every version and at every re-entry,
and a grown percentage only adds to those who were held out before.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["HELD_OUT", "TREATED", "arm"]

TREATED = "treated"
HELD_OUT = "held_out"


def arm(customer_id: str, salt: str, percent: float) -> str:
    """`held_out` for `percent` of the customers, else `treated`. The salt is the journey's name."""
    digest = blake2b(f"{salt}/{customer_id}".encode(), digest_size=8, person=b"hold-out").digest()
    return HELD_OUT if int.from_bytes(digest) / 2**64 * 100 < percent else TREATED
