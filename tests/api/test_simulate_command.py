"""`parcours simulate` and `parcours backtest` as processes: what they print, draw and refuse; that nothing is written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kit import ready
from kit.command import as_text
from kit.recording import Recorder

from dsl.loading import load
from engine.calls.centre import declare
from engine.calls.hours import Shift
from engine.db import Database

ROOT = Path(__file__).parents[2]
WIN_BACK = str(ROOT / "journeys" / "win_back.py")


def parcours(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder where there is nothing: no database, no journeys."""
    env = {
        "PATH": os.environ["PATH"],
        "PARCOURS_DATA": str(folder / "var"),
        "COLUMNS": "110",
        **environment,
    }
    return as_text(ready.run(arguments, folder=folder, env=env))


@pytest.fixture
def books(sqlite: Database) -> Recorder:
    """Six customers of win_back: one has bought, one was reached on the phone, the others let the mail lie."""
    (ir,) = (each.ir for each in load(Path(WIN_BACK)))
    found = Recorder(sqlite, ir)
    ids = [f"c{n}" for n in range(6)]
    found.customers(*ids)
    found.enter(*ids)
    found.wait(hours=2)
    treated = [customer for customer in ids if found.arm(customer) == "treated"]
    found.tell(treated[0], "email.clicked")
    found.wait(hours=1)
    found.tell(treated[0], "call.interested")
    found.tell(treated[1], "shop.purchased", total=50)
    found.wait(days=4)
    return found


def test_a_journey_is_simulated_with_no_database_at_all(tmp_path: Path) -> None:
    run = parcours(tmp_path, "simulate", WIN_BACK, "-n", "10000", "--runs", "3")
    assert (run.returncode, run.stderr) == (0, "")
    assert "WinBack: 10,000 customers, who enter over 30 days; 3 runs, seed 1." in run.stdout
    assert "invented rates" in run.stdout
    for said in ("✉ discount", "no answer in 3 d", "anywhere", "Calls of queue 'retention'", "a customer", "Letters:"):
        assert said in run.stdout
    assert "no capacity is given" in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_no_number_is_cut_short_however_narrow_the_terminal(tmp_path: Path) -> None:
    run = parcours(tmp_path, "simulate", WIN_BACK, "-n", "100000", "--runs", "2", COLUMNS="40")
    rows = [line for line in run.stdout.splitlines() if line.startswith((" ✉", " ✆", " ◉"))]
    assert len(rows) == 7
    assert not [row for row in rows if "…" in row]


def test_of_a_box_with_two_channels_each_number_has_its_channel(tmp_path: Path) -> None:
    (tmp_path / "both.py").write_text(
        "from dsl import *\nclass Both(Journey):\n    enters = Api()\n    purpose = marketing\n    done = Final()\n"
        "    @Email('t/mail')\n    @Sms('t/sms')\n    def story(self) -> Arrows:\n        yield after(days=3) >> self.done\n"
    )
    run = parcours(tmp_path, "simulate", "both.py", "-n", "2000", "--runs", "2")
    assert re.search(r"✉ story +2,000 .*email 1,\d{3} .*\n +sms 1,\d{3} *\n", run.stdout)


def test_a_long_simulation_shows_on_a_terminal_how_far_it_is(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    env = {**os.environ, "PARCOURS_DATA": str(tmp_path / "var"), "COLUMNS": "110", "TERM": "xterm"}
    program = [sys.executable, "-m", "api.command", "simulate", WIN_BACK, "-n", "100000", "--runs", "2", "--json"]
    with subprocess.Popen(program, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while b"customers" not in said:
            said += os.read(ours, 4096)  # OSError where it ends without
        process.terminate()
    os.close(ours)
    assert b"win_back: " in said


def test_the_same_seed_prints_the_same(tmp_path: Path) -> None:
    one, two, other = (
        parcours(tmp_path, "simulate", WIN_BACK, "-n", "200", "--runs", "2", "--json", "--seed", seed).stdout
        for seed in ("a", "a", "b")
    )
    assert one == two
    assert one != other


def test_json_tells_the_result_its_rates_and_where_they_come_from(tmp_path: Path) -> None:
    run = parcours(tmp_path, "simulate", WIN_BACK, "-n", "300", "--runs", "2", "--json")
    told = json.loads(run.stdout)
    assert (told["journey"], told["customers"], told["runs"]) == ("win_back", 300, 2)
    assert told["boxes"][0]["entered"] == {"mean": 300, "low": 300, "high": 300}
    assert told["model"]["channels"]["email"]["clicked"]["rate"] == 0.06
    assert told["rates_from"].startswith("invented rates")


def test_the_expected_flow_is_drawn(tmp_path: Path) -> None:
    for name, begin in (("flow.svg", b"<svg"), ("flow.png", b"\x89PNG")):
        run = parcours(tmp_path, "simulate", WIN_BACK, "-n", "12000", "--runs", "2", "-o", name)
        assert run.returncode == 0, run.stderr
        assert run.stdout.endswith(f"{name}\n")
        assert (tmp_path / name).read_bytes().startswith(begin)
    picture = (tmp_path / "flow.svg").read_text()
    assert 'id="count-eligible"' in picture
    assert "expected of 12,000 customers" in picture


def test_a_model_is_printed_edited_and_used(tmp_path: Path) -> None:
    printed = parcours(tmp_path, "simulate", WIN_BACK, "--model-template").stdout
    assert tomllib.loads(printed)["journey"] == "win_back"
    edited = printed.replace('"country FR or GB" = 0.5', '"country FR or GB" = 0').replace("# [capacity]", "[capacity]")
    (tmp_path / "model.toml").write_text(edited.replace("# retention = 60", "retention = 60"))
    run = parcours(tmp_path, "simulate", WIN_BACK, "-n", "500", "--runs", "2", "--model", "model.toml")
    assert run.returncode == 0, run.stderr
    assert "By the rates of model.toml" in run.stdout
    assert "too few on 0.0 days" in run.stdout
    told = json.loads(
        parcours(tmp_path, "simulate", WIN_BACK, "-n", "500", "--runs", "2", "--model", "model.toml", "--json").stdout
    )
    assert next(box for box in told["boxes"] if box["box"] == "not_eligible")["entered"]["mean"] == 500


def test_the_declared_queues_say_what_the_centre_makes(tmp_path: Path, sqlite: Database) -> None:
    with sqlite.write() as conn:
        office = Shift((0, 1, 2, 3, 4), "09:00", "17:00", 2)
        declare(conn, "retention", datetime(2026, 3, 2, tzinfo=UTC), zone="UTC", country="", shifts=[office])
    given = ("simulate", WIN_BACK, "-n", "300", "--runs", "2", "--database", sqlite.url)
    run = parcours(tmp_path, *given, COLUMNS="300")
    assert (run.returncode, run.stderr) == (0, "")
    assert "; the queues' shifts. In brackets" in run.stdout
    assert "the centre makes 96 on Mon–Fri, none on Sat, Sun: too few on" in run.stdout
    (tmp_path / "model.toml").write_text("[capacity]\nretention = 60\n")
    own = parcours(tmp_path, *given, "--model", "model.toml", COLUMNS="300")
    assert "the centre makes 60 a day: too few on" in own.stdout
    assert "the queues' shifts" not in own.stdout


def test_rates_are_learned_and_customers_taken_from_a_database(tmp_path: Path, books: Recorder) -> None:
    url = books.database.url
    learned = parcours(tmp_path, "simulate", WIN_BACK, "--model-template", "--learned", "--database", url)
    assert learned.returncode == 0, learned.stderr
    assert "seen = " in learned.stdout
    assert "[boxes." in learned.stdout
    (tmp_path / "learned.toml").write_text(learned.stdout)
    assert (
        parcours(tmp_path, "simulate", WIN_BACK, "-n", "50", "--runs", "2", "--model", "learned.toml").returncode == 0
    )
    run = parcours(tmp_path, "simulate", WIN_BACK, "--from-customers", "--database", url)
    assert (run.returncode, "nobody is in the audience of win_back now" in run.stderr) == (1, True)
    everyone = (ROOT / "journeys" / "win_back.py").read_text().replace("regular & no_full_basket", "no_full_basket")
    (tmp_path / "win_back.py").write_text(everyone)
    run = parcours(
        tmp_path, "simulate", "win_back.py", "--from-customers", "--learned", "--database", url, "--runs", "2"
    )
    assert run.returncode == 0, run.stderr
    assert "WinBack: 6 customers" in run.stdout
    assert "6 real customers' facts; rates learned from what is recorded" in " ".join(run.stdout.split())


def test_a_back_test_says_who_would_have_gone_where(tmp_path: Path, books: Recorder) -> None:
    url = books.database.url
    run = parcours(tmp_path, "backtest", WIN_BACK, "--database", url)
    assert (run.returncode, run.stderr) == (0, "")
    assert "WinBack: 6 enrolments, of 1 version (this very version among them)." in run.stdout
    assert "0 would have gone elsewhere (0.0%)." in run.stdout
    source = (ROOT / "journeys" / "win_back.py").read_text()
    (tmp_path / "edited.py").write_text(source.replace("Email.clicked >> self.call", "Email.clicked >> self.letter"))
    run = parcours(tmp_path, "backtest", "edited.py", "--database", url)
    assert "1 would have gone elsewhere (16.7%)." in run.stdout
    assert "in letter" in run.stdout
    assert "1 enrolment got messages that were never sent" in " ".join(run.stdout.split())
    told = json.loads(parcours(tmp_path, "backtest", "edited.py", "--database", url, "--json").stdout)
    assert (told["elsewhere"], told["on_unknown_answers"], told["matrix"][0]["was"]) == (1, 1, "won")
    assert told["matrix"][0]["examples"][0]["never_sent"] == ["letter"]
    model = parcours(tmp_path, "simulate", "edited.py", "--model-template").stdout
    (tmp_path / "m.toml").write_text(model)
    drawn = parcours(tmp_path, "backtest", "edited.py", "--database", url, "--model", "m.toml")
    assert "the model drew answers" in " ".join(drawn.stdout.split())
    none = parcours(tmp_path, "backtest", WIN_BACK, "--database", url, "--since", "2030-01-01")
    assert (none.returncode, "nobody has entered win_back since 2030-01-01" in none.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["simulate", str(ROOT / "journeys")], 2, "3 journeys; choose one of"),
        (["simulate", str(ROOT / "journeys"), "-j", "nobody"], 2, "there is no journey 'nobody'"),
        (["simulate", "nowhere.py"], 1, "nowhere.py"),
        (["simulate", WIN_BACK, "-n", "0"], 2, "equal to 1"),
        (
            ["simulate", WIN_BACK, "-n", "20000000"],
            2,
            "20,000,000 customers in 20 runs take about 133 minutes; at most",
        ),
        (["simulate", WIN_BACK, "-n", "1000000", "--runs", "1000"], 2, "in 1,000 runs take about 333 minutes; at most"),
        (["simulate", WIN_BACK, "-n", "99", "--runs", "1001"], 2, "1,001 runs; at most 1,000"),
        (["simulate", WIN_BACK, "--over", "999999999"], 2, "999,999,999 days; at most 3,660"),
        (["simulate", WIN_BACK, "-o", "flow.gif"], 2, "a picture is a .svg or .png file"),
        (["simulate", WIN_BACK, "--model", "none.toml"], 1, "none.toml: No such file"),
        (["simulate", WIN_BACK, "--learned"], 1, "there is no database sqlite:///"),
        (["simulate", WIN_BACK, "--learned", "--database", "nonsense"], 1, "this is no database"),
        (["simulate", WIN_BACK, "--from-customers", "--database", "sqlite:///empty.db"], 1, "no database of Parcours"),
        (
            ["simulate", WIN_BACK, "--model", "bytes.toml"],
            1,
            "error[response_model]: bytes.toml is no TOML: 'utf-8' codec",
        ),
        (["simulate", WIN_BACK, "--learned", "--database", "sqlite:///bytes.toml"], 1, "file is not a database"),
        (["backtest", WIN_BACK], 1, "there is no database sqlite:///"),
        (["backtest", WIN_BACK, "--since", "yesterday"], 2, "does not match the formats"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "bytes.toml").write_bytes(b"\xff" * 5_000)
    run = parcours(tmp_path, *arguments)
    assert run.returncode == code
    assert says in " ".join(run.stderr.replace("│", " ").split())
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "var").exists()


def test_a_wrong_model_names_its_table_and_field(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("[channels.email]\nreach = 7\n")
    run = parcours(tmp_path, "simulate", WIN_BACK, "--model", "m.toml")
    assert run.returncode == 1
    assert run.stderr.startswith("error[response_model]: m.toml: [channels.email] reach is 7; give a share from 0 to 1")


def test_a_broken_journey_is_not_simulated(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(Path(WIN_BACK).read_text().replace(">> self.refused", ">> self.refusd"))
    run = parcours(tmp_path, "simulate", "broken.py")
    assert run.returncode == 1
    assert "broken.py" in run.stderr
    assert "did you mean" in run.stderr
