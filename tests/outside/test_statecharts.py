"""Our stepper against python-statemachine, which passes the W3C's tests of SCXML: no walk of a thousand differs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from outside.charts import Clock, Loaded, retraced
from outside.journeys import BUGS, chance, shipped, walks, wrong_walks
from outside.walks import difference

from dsl.ir import IR

WALKS = 10
"""Through each journey."""


@pytest.fixture
def clock() -> Iterator[Clock]:
    with pytest.MonkeyPatch.context() as patch:
        yield Clock(patch)


@pytest.fixture(scope="module")
def random_charts() -> list[Loaded]:
    return [Loaded(ir) for ir in chance(97)]


def compared(loaded: Loaded, clock: Clock) -> int:
    count = 0
    for ir, script, trace in walks([loaded.ir], WALKS):
        assert difference(ir, script, trace, retraced(loaded, script, clock)) == ""
        count += 1
    return count


@pytest.mark.parametrize("ir", shipped(), ids=lambda ir: ir.name)
def test_a_shipped_journey_is_walked_alike(ir: IR, clock: Clock) -> None:
    assert compared(Loaded(ir), clock) == WALKS


@pytest.mark.slow
def test_a_thousand_walks_are_alike(random_charts: list[Loaded], clock: Clock) -> None:
    assert sum(compared(loaded, clock) for loaded in (*map(Loaded, shipped()), *random_charts)) == 1000


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_the_stepper_is_found(bug: str, random_charts: list[Loaded], clock: Clock) -> None:
    """The test of that test."""
    by_hash = {loaded.ir.hash: loaded for loaded in random_charts}
    wrong = wrong_walks(bug, chance(60), 5)
    assert any(retraced(by_hash[ir.hash], script, clock) != trace for ir, script, trace in wrong), (
        f"nobody noticed: {bug}"
    )
