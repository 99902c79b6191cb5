"""Places: so many at a time, the urgent first, and none is lost with whoever is called off."""

from __future__ import annotations

import asyncio

from workers.channels.places import Places


async def test_S6_the_urgent_are_served_first_and_each_lane_in_its_order() -> None:
    places, came = Places(1), list[str]()

    async def one(name: str, *, planned: bool) -> None:
        async with places.place(planned=planned):
            came.append(name)
            await asyncio.sleep(0)

    async with places.place(planned=True):
        waiting = [asyncio.create_task(one(f"planned {n}", planned=True)) for n in range(2)]
        waiting += [asyncio.create_task(one(f"urgent {n}", planned=False)) for n in range(2)]
        await asyncio.sleep(0)
        assert came == []
    await asyncio.gather(*waiting)
    assert came == ["urgent 0", "urgent 1", "planned 0", "planned 1"]


async def test_a_place_of_who_is_called_off_is_anothers() -> None:
    """Called off while waiting, at the moment when the place was given, and with the place in hand."""
    places = Places(1)

    async def hold(held: asyncio.Event) -> None:
        async with places.place(planned=False):
            held.set()
            await asyncio.Event().wait()

    async with places.place(planned=False):
        waits, given = (asyncio.create_task(hold(asyncio.Event())) for _ in range(2))
        await asyncio.sleep(0)
        waits.cancel()
    given.cancel()  # the place is its own, and it has not run since
    await asyncio.gather(waits, given, return_exceptions=True)
    held = asyncio.Event()
    last = asyncio.create_task(hold(held))
    await asyncio.wait_for(held.wait(), 30)
    last.cancel()
    await asyncio.gather(last, return_exceptions=True)
    async with asyncio.timeout(30), places.place(planned=True):
        pass
