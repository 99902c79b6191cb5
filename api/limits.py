"""How often a key may call: so many requests a second, in bursts of ten seconds' worth; each API process counts its own."""

from __future__ import annotations

import time
from threading import Lock

__all__ = ["Limits"]

_BURST = 10.0


class Limits:
    """What each key has used up. `rate`: requests a second; 0: as many as they like."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._until: dict[str, float] = {}
        """By key, the moment until which its requests are paid for (the generic cell rate algorithm, ITU-T I.371)."""
        self._lock = Lock()

    def wait(self, key: str) -> float:
        """Count a request. Seconds until the key may call again, where it may not now; that counts as none."""
        if not self.rate:
            return 0.0
        now = time.monotonic()
        with self._lock:
            until = max(self._until.get(key, now), now) + 1 / self.rate
            if until - now > _BURST:
                return until - now - _BURST
            self._until[key] = until
        return 0.0
