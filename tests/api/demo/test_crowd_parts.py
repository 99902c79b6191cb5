"""The crowd's eyes and memory: mails, print runs, the agenda, what an agent hears."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from api.demo.agenda import DAY, Agenda
from api.demo.agents import outcome_of
from api.demo.ledger import Answer, Ledger
from api.demo.mailbox import Mailbox, links_in, message_key, read_mail
from api.demo.people import chance
from api.demo.postbox import Postbox
from engine.clock import Clock
from engine.links import Links

LINKS = Links("http://shop.example", b"k" * 32)


def mail() -> bytes:
    message = EmailMessage(policy=SMTP)
    message["To"] = "Léa Lefèvre <lea@example.org>"
    message["Subject"] = "Léa, 10 % de moins"
    message["List-Unsubscribe"] = f"<{LINKS.unsubscribe('7-1-0')}>, <mailto:stop@shop.example>"
    message.set_content("plain")
    feed = LINKS.feed("x" * 43)
    message.add_alternative(
        f'<a href="{LINKS.click("7-1-0", 0)}">a</a><a href="{LINKS.click("7-1-0", 1)}">b</a><a href="{feed}">f</a>'
        f'<a href="https://other.example/">o</a><img src="{LINKS.open_pixel("7-1-0")}">',
        subtype="html",
    )
    return message.as_bytes()


def test_a_mail_is_read_as_a_mail_program_does() -> None:
    read = read_mail(mail())
    assert read.to == "lea@example.org"
    assert read.subject == "Léa, 10 % de moins"
    assert read.clicks == (LINKS.click("7-1-0", 0), LINKS.click("7-1-0", 1))
    assert read.pixel == LINKS.open_pixel("7-1-0")
    assert read.unsubscribe == LINKS.unsubscribe("7-1-0")
    assert read.feed == LINKS.feed("x" * 43)


@pytest.mark.parametrize("url", [LINKS.click("7-1-0", 3), LINKS.open_pixel("7-1-0"), LINKS.unsubscribe("7-1-0")])
def test_the_ledger_knows_the_key_of_every_tracked_address(url: str) -> None:
    assert message_key(url) == "7-1-0"


def test_a_mailbox_gives_each_mail_once(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "sink")
    assert box.new() == []
    (tmp_path / "sink").mkdir()
    (tmp_path / "sink" / "00000001-7-1-0.eml").write_bytes(mail())
    (tmp_path / "sink" / ".00000002-8-1-0.eml.part").write_bytes(b"half")
    assert [path.name for path in box.new()] == ["00000001-7-1-0.eml"]
    assert box.new() == []


def test_links_in_a_text() -> None:
    assert links_in("Look: http://shop.example/c/7-1-0.0.abc. Reply STOP") == ["http://shop.example/c/7-1-0.0.abc"]


def test_a_growing_manifest_gives_each_letter_once(tmp_path: Path) -> None:
    run = tmp_path / "run-1"
    run.mkdir()
    rows = [
        ["letter_id", "file", "first_page", "pages", "line_1", "line_2"],
        ["7-1-0", "letters-001.pdf", "1", "1", "Léa Lefèvre", "35000 RENNES"],
    ]
    box = Postbox(tmp_path)
    for more in (["8-1-0", "letters-001.pdf", "2", "2", "Imran Khan", ""], None):
        with (run / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        found = box.new()
        assert len(found) == 1
        if more is not None:
            assert found[0].lines == ("Léa Lefèvre", "35000 RENNES")
            rows.append(more)
        else:
            assert (found[0].first_page, found[0].pages) == (2, 2)
    assert box.new() == []


def test_a_run_that_is_being_written_is_not_looked_at(tmp_path: Path) -> None:
    written = tmp_path / ".run-1.half"
    written.mkdir()
    (written / "manifest.csv").write_text(
        "letter_id,file,first_page,pages,line_1\n7-1-0,letters-001.pdf,1,1,Léa\n", "utf-8"
    )
    box = Postbox(tmp_path)
    assert box.new() == []
    written.rename(tmp_path / "run-1")
    assert len(box.new()) == 1


async def test_the_agenda_keeps_order_and_leaves_the_future_undone() -> None:
    agenda = Agenda(Clock(), tick=0.001)
    now = agenda.clock.now_ms()
    done: list[str] = []

    async def act(name: str) -> None:
        done.append(name)
        if name == "last":
            stop.set()

    stop = asyncio.Event()
    agenda.add(now - 1, lambda: act("last"))
    agenda.add(now - 3, lambda: act("first"))
    agenda.add(now - 2, lambda: act("second"))
    agenda.add(now + DAY, lambda: act("never"))
    await agenda.run(stop)
    assert done == ["first", "second", "last"]
    assert len(agenda) == 1


async def test_an_action_that_fails_is_named_and_stops_no_other() -> None:
    agenda = Agenda(Clock(), tick=0.001)
    stop = asyncio.Event()

    async def fail() -> None:
        raise RuntimeError("the API is gone")

    async def end() -> None:
        stop.set()

    agenda.after(-1, fail)
    agenda.after(0, end)
    await agenda.run(stop)
    assert agenda.failures == ["RuntimeError: the API is gone"]


def test_outcomes_are_plausible_repeatable_and_of_those_offered() -> None:
    offered = ("interested", "refused", "not_reached", "wrong_number", "do_not_call")
    heard = Counter(outcome_of(f"household-{n}", 1, offered) for n in range(4000))
    assert heard == Counter(outcome_of(f"household-{n}", 1, offered) for n in range(4000))
    assert 0.42 < heard["not_reached"] / 4000 < 0.50
    assert 0.16 < heard["interested"] / 4000 < 0.24
    assert 0.005 < heard["do_not_call"] / 4000 < 0.04
    assert {outcome_of(f"household-{n}", 1, ("refused",)) for n in range(50)} == {"refused"}


def test_chance_is_even_and_hangs_on_every_part() -> None:
    draws = [chance("seed", n, "opens") for n in range(2000)]
    assert 0.48 < sum(draws) / 2000 < 0.52
    assert chance("seed", 1, "opens") != chance("seed", 1, "clicks")
    assert chance("a", "bc") != chance("ab", "c")


def test_the_ledger_is_kept_line_by_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "out" / "ledger.jsonl")
    clock = Clock()
    ledger.add(Answer("email.clicked", "7-1-0", "/c/x", 302, clock.now()))
    ledger.add(Answer("email.clicked", "8-1-0", "/c/y", 404, clock.now()))
    ledger.close()
    assert [answer.accepted for answer in ledger.answers] == [True, False]
    assert len(ledger.path.read_text().splitlines()) == 2
