"""Our stepper against XState 5, where node is there: no walk of a thousand differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from outside.journeys import BUGS, chance, shipped, walks, wrong_walks
from outside.machines import installed, retraced
from outside.walks import difference


@pytest.fixture(scope="session")
def xstate(request: pytest.FixtureRequest) -> Path:
    cache = request.config.cache
    assert cache is not None
    return installed(cache.mkdir("xstate"))


def test_a_thousand_walks_are_alike(xstate: Path) -> None:
    ours = list(walks([*shipped(), *chance(97)], 10))
    assert len(ours) == 1000
    for (ir, script, trace), other in zip(ours, retraced(ours, xstate), strict=True):
        assert difference(ir, script, trace, other) == ""


def test_bugs_in_the_stepper_are_found(xstate: Path) -> None:
    """The test of that test."""
    wrong = {bug: list(wrong_walks(bug, chance(60), 5)) for bug in BUGS}
    others = iter(retraced([walk for some in wrong.values() for walk in some], xstate))
    for bug, some in wrong.items():
        found = [trace for _, _, trace in some if next(others) != trace]
        assert found, f"nobody noticed: {bug}"
