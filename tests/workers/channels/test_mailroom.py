"""The mailroom: mails made in processes of their own are those that the worker would have made, whatever becomes of the processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.links import Links
from engine.outgoing import Content, Outgoing
from engine.png import png
from engine.settings import Settings
from engine.templating.checking import SAMPLE, SAMPLE_FACTS
from engine.templating.templates import Template, TemplateError, Templates
from workers.channels.mailroom import Mailroom, Maker, Order
from workers.channels.mime import Sender

DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"><rect width="2" height="2" fill="red"/></svg>'
CARRIES = """<mjml><mj-head><mj-title>A picture</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-image src="{{ image('dot.png') }}" alt="A dot" />
</mj-column></mj-section></mj-body></mjml>
"""


@pytest.fixture
def maker(settings: Settings, templates: Templates, links: Links) -> Maker:
    return Maker(templates, links, Sender.of(settings))


@pytest.fixture
def mailroom(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailroom]:
    monkeypatch.setattr("workers.channels.mailroom._PATIENCE", 120.0)  # its process gives way to the other tests
    room = Mailroom(maker, 1)
    yield room
    room.close()


def orders(count: int = 120) -> list[Order]:
    at = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    return [
        (
            Outgoing(
                f"{number}-1-0", "email", number, "win_back", "discount", "marketing",
                replace(SAMPLE, id=f"c{number}", first_name=f"Zoë {number}"), f"c{number}@example.com", Content(), at,
            ),
            SAMPLE_FACTS,
        )
        for number in range(count)
    ]  # fmt: skip


def process() -> int:
    """The one process that there is beside this one."""
    (child,) = multiprocessing.active_children()
    assert child.pid is not None
    return child.pid


def test_mails_made_in_a_process_are_those_that_the_worker_makes(
    mailroom: Mailroom, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = orders()
    own = maker.make("win/mail", wanted)
    assert mailroom.make("win/mail", wanted) == own, "while the process starts, here"
    mailroom.start()
    monkeypatch.setattr(maker, "make", None)  # from here on it can only be the process
    made = mailroom.make("win/mail", wanted)
    assert made == own
    assert all(isinstance(each, Content) and each.raw and each.to_feed and not each.html for each in made)
    assert process() != os.getpid()


def test_a_mail_that_cannot_be_made_is_told_and_the_others_are_made(mailroom: Mailroom, templates: Templates) -> None:
    file = templates.folder / "win" / "mail.en.mjml"
    file.write_text(file.read_text("utf-8").replace("10 %", "{{ 1 // (customer.first_name | length - 5) }}"), "utf-8")
    wanted = orders()  # "Zoë 7" has five letters, and so has nobody from "Zoë 10" on
    mailroom.start()
    made = mailroom.make("win/mail", wanted)
    assert ["zero" in each if isinstance(each, str) else None for each in made] == [*[True] * 10, *[None] * 110]


def test_an_edited_template_is_read_again(mailroom: Mailroom, templates: Templates) -> None:
    mailroom.start()
    mailroom.make("win/mail", orders())
    file = templates.folder / "win" / "mail.en.mjml"
    file.write_text(file.read_text("utf-8").replace("10 %", "twelve per cent"), "utf-8")
    (made, *_) = mailroom.make("win/mail", orders())
    assert isinstance(made, Content)
    assert made.title == "Für Zoë 0: twelve per cent"


def test_mails_that_carry_files_are_made_by_the_worker(mailroom: Mailroom, templates: Templates) -> None:
    (templates.folder / "win" / "carries.en.mjml").write_text(CARRIES, "utf-8")
    (templates.folder / "win" / "dot.png").write_bytes(png(DOT))
    mailroom.start()
    for _ in range(2):
        made = mailroom.make("win/carries", orders())
        assert all(isinstance(each, Content) and each.files[0].data and not each.raw for each in made)


def test_a_version_that_stands_in_for_a_file_is_rendered_by_the_worker(
    settings: Settings, templates: Templates, links: Links
) -> None:
    kept = templates.find("win/mail", "email", "en")
    (templates.folder / "win" / "mail.en.mjml").unlink()

    def stand_in(ref: str, channel: str) -> list[Template]:
        return [kept] if (ref, channel) == ("win/mail", "email") else []

    standing = Templates(templates.folder, stand_in=stand_in)
    room = Mailroom(Maker(standing, links, Sender.of(settings)), 1)
    room.start()
    made = room.make("win/mail", orders())
    assert all(isinstance(each, Content) and each.raw and each.template_hash == kept.hash for each in made)
    room.close()


def test_what_is_wrong_with_a_template_for_everybody_raises(mailroom: Mailroom, templates: Templates) -> None:
    mailroom.start()
    (templates.folder / "win" / "mail.en.mjml").write_text("<mjml>", "utf-8")
    with pytest.raises(TemplateError, match=r"mail\.en\.mjml"):
        mailroom.make("win/mail", orders())
    with pytest.raises(TemplateError, match="no template for email 'win/none'"):
        mailroom.make("win/none", orders())


def test_where_a_process_is_killed_the_worker_makes_its_mails_and_another_one_starts(
    mailroom: Mailroom, maker: Maker
) -> None:
    mailroom.start()
    before = process()
    os.kill(before, signal.SIGKILL)
    assert mailroom.make("win/mail", orders()) == maker.make("win/mail", orders())
    mailroom.start()
    assert process() != before
    assert mailroom.make("win/mail", orders()) == maker.make("win/mail", orders())


@pytest.mark.skipif(sys.platform != "linux", reason="the policy is Linux's")
def test_a_process_gives_way_to_whoever_else_has_something_to_do(mailroom: Mailroom) -> None:
    mailroom.start()
    assert os.sched_getscheduler(process()) == os.SCHED_IDLE
    assert os.sched_getscheduler(0) == os.SCHED_OTHER, "the worker doesn't"


def test_where_a_process_gets_no_time_the_worker_makes_its_mails_until_it_is_asked_again(
    mailroom: Mailroom, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    make = maker.make

    def counted(template: str, wanted: Sequence[Order]) -> list[Content | str]:
        asked.append(len(wanted))
        return make(template, wanted)

    monkeypatch.setattr(maker, "make", counted)
    monkeypatch.setattr("workers.channels.mailroom._PATIENCE", 0.2)
    mailroom.start()
    own = make("win/mail", orders())
    os.kill(process(), signal.SIGSTOP)
    try:
        assert mailroom.make("win/mail", orders()) == own
        assert asked == [120]
    finally:
        os.kill(process(), signal.SIGCONT)
    monkeypatch.setattr("workers.channels.mailroom._PATIENCE", 120.0)
    assert mailroom.make("win/mail", orders()) == own
    assert asked == [120, 120], "it rests"
    monkeypatch.setattr(mailroom, "_rests_until", 0.0)
    assert mailroom.make("win/mail", orders()) == own
    assert asked == [120, 120], "it is asked again"


def test_a_few_mails_start_no_process_and_without_processes_nothing_does(maker: Maker) -> None:
    room = Mailroom(maker, 1)
    assert len(room.make("win/mail", orders(99))) == 99
    alone = Mailroom(maker, 0)
    alone.start()
    assert len(alone.make("win/mail", orders())) == 120
    assert multiprocessing.active_children() == []


def test_a_process_ends_with_its_worker_even_where_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(f"""
import multiprocessing, time
from pathlib import Path
from engine.links import Links
from engine.settings import Settings
from engine.templating.templates import Template, TemplateError, Templates
from workers.channels.mailroom import Mailroom, Maker
from workers.channels.mime import Sender
if __name__ == "__main__":
    room = Mailroom(Maker(Templates(Path({str(tmp_path)!r})), Links("http://x", b"k"), Sender.of(Settings())), 1)
    room.start()
    print(multiprocessing.active_children()[0].pid, flush=True)
    time.sleep(60)
""")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        child = int(worker.stdout.readline())
        worker.kill()
    until = time.monotonic() + 30
    while _lives(child):
        assert time.monotonic() < until, "it goes on without its worker"
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
