"""Gathering: what is asked at one moment is done in one call, and nobody waits for who can't come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from workers.gathering import Gathering


def seen(calls: list[list[int]], pause: float) -> Gathering[int, int]:
    def work(asked: Sequence[int]) -> Sequence[int]:
        calls.append(list(asked))
        return [2 * each for each in asked]

    return Gathering(work, pause)


async def test_what_is_asked_within_the_pause_is_one_call() -> None:
    calls: list[list[int]] = []
    gathering = seen(calls, 0.01)
    assert await asyncio.gather(*(gathering.put(number) for number in (1, 2, 3))) == [2, 4, 6]
    assert calls == [[1, 2, 3]]


async def test_where_it_fails_it_has_failed_for_all_and_the_next_are_done() -> None:
    failing = True

    def work(asked: Sequence[int]) -> Sequence[int]:
        if failing:
            raise ValueError("no")
        return asked

    gathering = Gathering(work)
    for future in [gathering.put(1), gathering.put(2)]:
        with pytest.raises(ValueError, match="no"):
            await future
    failing = False
    assert await gathering.put(3) == 3
