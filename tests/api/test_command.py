"""The command, as a process: what it prints, and that it always ends with its own exit code."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from kit.command import parcours

from engine import keys
from engine.db import Database
from engine.png import undrawn
from engine.settings import Settings

ROOT = Path(__file__).parents[2]
GOOD = '''
from dsl import Api, Arrows, Final, Goal, Journey, Sms, after, marketing, never


class Hello(Journey):
    """Says hello."""

    enters = Api()
    again = never
    purpose = marketing

    won = Goal()
    lapsed = Final()

    @Sms("hello/text")
    def text(self) -> Arrows:
        """The text."""
        yield Sms.clicked >> self.won
        yield after(days=2) >> self.lapsed
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "journeys"
    (folder / "hello").mkdir(parents=True)
    (folder / "hello.py").write_text(GOOD)
    (folder / "hello" / "text.en.txt").write_text(
        "Hello {{ customer.first_name }}, see {{ link('https://shop.example', 'shop') }}"
    )
    return tmp_path


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "api.command", "--help"], cwd=ROOT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 1  # 0.3 s on a quiet machine; the modules below are what made it slow
    heavy = "import sys, api.command; print([m for m in ('temporalio', 'sqlmodel', 'fastapi', 'graphlay', 'typst') if m in sys.modules])"
    run = subprocess.run(  # our own command
        [sys.executable, "-c", heavy], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"


def test_from_check_to_where(project: Path) -> None:
    assert "nothing is wrong" in parcours(project, "check").stdout
    digest = parcours(project, "hash").stdout.split()
    assert (len(digest[0]), digest[1]) == (64, "hello")
    assert "hello" in parcours(project, "show").stdout.lower()
    for name in ("a.svg", "a.png", "a.mmd", "a.txt", "a.scxml", "a.json"):
        assert parcours(project, "draw", "-o", name).returncode == 0
        assert (project / name).stat().st_size > 100
    assert "version 1 (new), off" in parcours(project, "publish").stdout
    assert "version 1 (as it was published before)" in parcours(project, "publish").stdout
    assert parcours(project, "on", "hello", "-m", "spring").stdout == "hello is on\n"
    assert parcours(project, "on", "hello").stdout == "hello is on, as it was\n"
    assert parcours(project, "off", "hello").stdout == "hello is off\n"
    (project / "c.csv").write_text("id,first_name\n1,Zoë\n2,Léa,x\n")
    imported = parcours(project, "import", "customers", "c.csv")
    assert (imported.returncode, "1 new customers" in imported.stdout) == (1, True)
    assert (project / "c.csv.rejected.csv").exists()
    (project / "o.csv").write_text("order_id,customer_id,at,total\nA,1,2026-01-02,9.50\n")
    assert "1 new purchase lines" in parcours(project, "import", "orders", "o.csv").stdout
    assert "never in" in parcours(project, "where", "1").stdout


def test_a_text_message_is_priced_and_its_wide_letters_told(project: Path) -> None:
    template = project / "journeys" / "hello" / "text.en.txt"
    assert "1 message" in parcours(project, "sms").stdout
    template.write_text("La fête, {{ customer.first_name }}" + " encore" * 10)
    checked = parcours(project, "check")
    assert (checked.returncode, "nothing is wrong" in checked.stdout) == (0, True)  # a warning refuses nothing
    assert "warning: 'ê' is no letter of GSM's alphabet" in checked.stderr
    assert "text.en.txt:1:5" in checked.stderr
    told = parcours(project, "sms", "--text", "--to", "+4915123456789", PARCOURS_SMS_PRICES="49=7500").stdout
    assert "86 characters  UCS-2  2 messages  0.1500 EUR to +4915123456789" in told
    assert "    La fête, Camille encore" in told
    assert "PARCOURS_SMS_PRICES" in parcours(project, "sms", PARCOURS_SMS_PRICES="49=cheap").stderr


def test_a_picture_is_opened_in_the_browser(project: Path) -> None:
    browser = project / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > opened\n')
    browser.chmod(0o755)
    drawn = parcours(project, "draw", "-o", "a.svg", "--open", BROWSER=f"{browser} %s")
    assert (drawn.returncode, drawn.stdout, drawn.stderr) == (0, "a.svg\n", "")
    assert (project / "opened").read_text() == f"{(project / 'a.svg').as_uri()}\n"
    nowhere = parcours(project, "draw", "-o", "a.svg", "--open", BROWSER="false %s")
    assert nowhere.returncode == 0, "it is drawn all the same"
    assert nowhere.stderr == "there is no browser here to show a.svg in\n"


def test_letters_that_a_png_lacks_are_told_once_and_an_svg_has_them(project: Path) -> None:
    source = GOOD.replace("Sms.clicked", 'Sms.replied.keyword("نعم") >> self.won\n        yield Sms.clicked')
    (project / "journeys" / "hello.py").write_text(source)
    drawn = parcours(project, "draw", "-o", "a.png")
    assert (drawn.returncode, drawn.stdout) == (0, "a.png\n")
    assert drawn.stderr.startswith(
        "warning: a.png has empty boxes for ن ع م: a PNG has the letters of Source Sans Pro alone; a.svg "
    )
    assert drawn.stderr.count("\n") == 1
    assert parcours(project, "draw", "-o", "a.svg").stderr == ""
    text = (project / "a.svg").read_text()
    assert "نعم" in text
    assert undrawn(text + "<text>&#x9152;&lt;酒 ▶é\u0301</text>") == "نعم酒"
    flow = parcours(project, "simulate", "journeys", "-n", "10", "--runs", "2", "-o", "f.png")
    assert (flow.returncode, flow.stderr.startswith("warning: f.png has empty boxes for ن ع م: ")) == (0, True)


def test_a_key_is_printed_once_and_works(project: Path) -> None:
    key = parcours(project, "key", "create", "shop", "-s", "ingest,read").stdout.strip()
    database = Database(Settings(data=project / "var").database_url)
    caller = keys.authenticate(database, key)
    database.close()
    assert caller is not None
    assert caller.scopes == {"ingest", "read"}
    listed = parcours(project, "key", "list").stdout
    assert "shop" in listed
    assert key not in listed
    assert parcours(project, "key", "revoke", "shop").stdout == f"{key[:10]} (shop) is revoked\n"


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (["nonsense"], {}, 2, "No such command"),
        (["off", "nobody"], {}, 1, "error[journey_not_found]: there is no journey 'nobody'"),
        (["where", "nobody"], {}, 1, "error[customer_not_found]"),
        (["import", "orders", "none.csv"], {}, 1, "none.csv can't be read: No such file"),
        (["key", "create", "shop", "-s", "root"], {}, 1, "one or more of ingest, read"),
        (["key", "list"], {"PARCOURS_PORT": "abc"}, 1, "PARCOURS_PORT"),
        (
            ["key", "list"],
            {"PARCOURS_TIME_SCALE": "60"},
            1,
            "a setting can't be used: PARCOURS_TIME_SCALE, PARCOURS_TIME_REAL",
        ),
        (["key", "list"], {"PARCOURS_DATABASE": "postgresql://127.0.0.1:1/x"}, 1, "the database can't be used"),
        (["key", "list"], {"PARCOURS_DATABASE": "nonsense"}, 1, "PARCOURS_DATABASE"),
        (["check", "none"], {}, 1, "none"),
        (["draw", "--theme", "blue"], {}, 2, "the theme is auto, light or dark, not 'blue'"),
        (["draw", "-o", "x.gif"], {}, 2, "a picture is a .svg"),
        (["hash", "-j", "nobody"], {}, 2, "there are: hello"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    project: Path, arguments: list[str], environment: dict[str, str], code: int, says: str
) -> None:
    run = parcours(project, *arguments, **environment)
    assert run.returncode == code
    assert says in run.stderr
    assert "Traceback" not in run.stderr


def test_a_folder_with_nothing_but_a_base_says_so(project: Path) -> None:
    (project / "journeys" / "hello.py").write_text(GOOD.replace("Hello(Journey)", "Hello(Journey, abstract=True)"))
    says = "`Hello` in journeys/hello.py is abstract: a base for others, which nobody enters; derive one from it: class"
    checked = parcours(project, "check", "journeys")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert says in checked.stdout
    for command in ("show", "hash", "draw", "publish", "simulate", "backtest", "diff journeys"):
        run = parcours(project, *command.split(), "journeys", COLUMNS="200")
        assert (run.returncode, says in run.stderr) == (2, True), command
    assert not (project / "var").exists()
    shown = parcours(project, "preview", "Hello.text", COLUMNS="200", PARCOURS_JOURNEYS="journeys")
    assert (shown.returncode, says in shown.stderr) == (2, True)


def test_a_broken_template_fails_the_check_and_nothing_is_published(project: Path) -> None:
    (project / "journeys" / "hello" / "text.en.txt").write_text("Hello {{ customer.frist_name }}")
    for command in ("check", "publish"):
        run = parcours(project, command)
        assert run.returncode == 1
        assert "hello/text.en.txt:1" in run.stderr
        assert "first_name" in run.stderr
    assert parcours(project, "on", "hello").returncode == 1


def test_a_broken_journey_fails_the_check_with_its_place(project: Path) -> None:
    (project / "journeys" / "hello.py").write_text(GOOD.replace(">> self.won", ">> self.wonn"))
    run = parcours(project, "check")
    assert run.returncode == 1
    assert "hello.py:18" in run.stderr
    assert "won" in run.stderr


@pytest.mark.parametrize(
    ("code", "ends"), [("raise SystemExit(3)", 3), ("raise KeyboardInterrupt", 130), ("1 / 0", 1), ("pass", 0)]
)
def test_a_process_that_used_temporal_ends_with_its_own_exit_code(code: str, ends: int) -> None:
    program = f"""
import asyncio, temporalio.client, api.command as command
async def connect():
    try: await temporalio.client.Client.connect("127.0.0.1:1")
    except RuntimeError: pass
asyncio.run(connect())
def app(): {code}
command.app = app
command.main()
"""
    run = subprocess.run(  # our own command
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert run.returncode == ends
