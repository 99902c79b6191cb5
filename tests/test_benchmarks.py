"""The channels' benchmark says whether its floors hold: a table for people, JSON for programs, and 1 at its end where not."""

from __future__ import annotations

import json

import pytest

from benchmarks.channels import FIGURES, Bound, Figure, main

MADE_UP = {"speed": Figure(lambda rounds: {"ratio": rounds}, (Bound("ratio", "of the other's", least=2, most=None),))}


def test_a_floor_that_holds(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rounds", "2"], MADE_UP)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"speed": {"ratio": 2}}
    assert "of the other's" in shown.err


def test_a_floor_that_is_missed_ends_with_an_error_and_the_figures_are_told_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match=r"speed \(ratio is 1, wanted ≥ 2\)"):
        main(["--rounds", "1"], MADE_UP)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"speed": {"ratio": 1}}
    assert "missed" in shown.err


def test_a_row_is_there_as_soon_as_its_figure_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Else who stops a run of many minutes has nothing."""
    seen: list[str] = []

    def slow(rounds: int) -> dict[str, int]:
        seen.append(capsys.readouterr().err)
        return {"n": rounds}

    slow_one = Figure(slow, (Bound("n", "of something that takes its time"), Bound("n", "… once more", most=9)))
    main([], {**MADE_UP, "slow": slow_one})
    (before,), after = seen, capsys.readouterr().err
    head, speed, *rest = before.splitlines()
    assert (head.split(), speed.split(), rest) == (
        ["figure", "what", "wanted", "measured"],
        ["speed", "of", "the", "other's", "≥", "2", "3"],
        [],
    )
    assert [line.split()[-1] for line in after.splitlines()[:2]] == ["3", "3"]
    assert {line.index("≥ 2" if "≥" in line else "≤ 9") for line in (speed, after.splitlines()[1])} == {
        head.index("wanted")
    }, "the columns stand below each other"


def test_a_ceiling_is_one() -> None:
    assert [Bound("ms", "…", most=50).holds(value) for value in (0, 50, 50.1)] == [True, True, False]


@pytest.mark.parametrize("wrong", [["letter"], ["--rounds", "0"]])
def test_what_it_does_not_know_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(wrong)
    assert (wrong[0] if wrong == ["letter"] else "--rounds") in capsys.readouterr().err


def test_the_feeds_are_rebuilt_in_time() -> None:
    """The one figure that is quick to measure: every bound's key is in what it gives."""
    found = FIGURES["feeds"].measure(1)
    assert all(bound.holds(found[bound.key]) for bound in FIGURES["feeds"].bounds if bound.key.endswith("_ms"))
