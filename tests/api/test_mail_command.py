"""`parcours mail` and `parcours receiver` as processes: exit codes of sysexits.h, strays, and a server that ends in order."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit import ready
from kit.incoming import complaint, ours, postfix, reply

from engine.events import StoredEvent
from engine.links import Links
from engine.settings import Settings
from workers.server import free_port

Sent = Callable[..., dict[str, Any]]
Events = Callable[[], list[StoredEvent]]
ROOT = str(Path(__file__).parents[2])
OWN = "hello@parcours.example"


def environment(settings: Settings, **more: str) -> dict[str, str]:
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT, "COLUMNS": "200"}
    return {**kept, "PARCOURS_DATA": str(settings.data), "PARCOURS_SECRET": "", **more}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    settings.signing_key()
    return settings


@pytest.fixture
def mail(settings: Settings, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def run(*arguments: str, given: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
        env = {name: value for name, value in environment(settings, **more).items() if value}
        return ready.run(["mail", *arguments], folder=tmp_path, env=env, given=given)

    return run


Mail = Callable[..., subprocess.CompletedProcess[bytes]]


def test_a_pipe_is_told_what_became_of_its_mail(
    mail: Mail, settings: Settings, sent: Sent, events: Events, tmp_path: Path
) -> None:
    sent()
    verp = f"{Links(settings.public_url, settings.signing_key()).return_path('1-1-0')}@parcours.example"
    done = mail("in", "-", "--to", verp, "--from", "", given=postfix("1-1-0", verp))
    assert (done.returncode, done.stdout) == (0, b"kept: email.bounced of 1-1-0\n")
    file = tmp_path / "bounce.eml"
    file.write_bytes(postfix("1-1-0", verp))  # its headers say whom it came to
    assert mail("in", str(file)).stdout == b"repeat: email.bounced of 1-1-0\n"
    assert [event.name for event in events()] == ["email.bounced"]

    forged = mail("in", "-", "--to", verp.replace("1-1-0", "2-1-0"), given=b"x")
    assert forged.returncode == os.EX_NOUSER
    assert b"the signature of this bounce address is not ours" in forged.stderr
    assert mail("in", str(tmp_path / "nowhere")).returncode == os.EX_NOINPUT
    assert mail("in", "-", given=b"").returncode == os.EX_NOUSER
    large = mail("in", "-", "--to", OWN, given=b"x" * 2000, PARCOURS_MAIL_IN_SIZE="1000")
    assert large.returncode == os.EX_UNAVAILABLE
    away = mail("in", "-", "--to", OWN, given=b"x", PARCOURS_DATABASE="postgresql://x@127.0.0.1:1/x?connect_timeout=2")
    assert away.returncode == os.EX_TEMPFAIL
    broken = mail("in", "-", "--to", OWN, given=b"x", PARCOURS_MAIL_IN_PORT="soon")
    assert broken.returncode == os.EX_TEMPFAIL


def test_strays_are_listed_shown_accepted_and_dropped(mail: Mail, sent: Sent, events: Events) -> None:
    sent(address="zoe@example.com")
    assert b"no mail waits" in mail("list").stdout
    raw = complaint(ours("1-1-0"))
    assert mail("in", "-", "--to", "abuse@parcours.example", given=raw).stdout.startswith(
        b"stray: a complaint in which"
    )
    assert mail("in", "-", "--to", OWN, given=reply("Hello?")).returncode == 0
    mail("in", "-", "--to", "nobody@parcours.example", given=b"x")
    listed = mail("list").stdout.decode()
    assert re.search(r"│ 1\s+│.*abuse@parcours.example.*nothing is signed by us", listed)
    assert re.search(r"pipe.*no such address.*nobody@parcours.example", listed)
    assert mail("show", "1").stdout == raw
    assert mail("accept", "2").returncode == 1  # it names no send at all
    accepted = mail("accept", "1")
    assert (accepted.returncode, accepted.stdout) == (0, b"kept: email.complained of 1-1-0\n")
    assert [event.name for event in events()] == ["email.complained", "consent.withdrawn"]
    assert mail("drop", "2").returncode == 0
    gone = mail("show", "2")
    assert (gone.returncode, b"mail_not_found" in gone.stderr) == (1, True)


def test_the_receiver_listens_and_ends_in_order(settings: Settings, sent: Sent, events: Events) -> None:
    sent()
    port = free_port()
    env = environment(settings, PARCOURS_MAIL_IN_PORT=str(port))
    env.pop("PARCOURS_SECRET")
    running = subprocess.Popen([sys.executable, "-m", "api.command", "receiver"], env=env)
    try:
        until = time.monotonic() + 90
        while True:
            try:
                smtp = smtplib.SMTP("127.0.0.1", port, "mx.example.com", timeout=60)
                break
            except OSError:
                assert time.monotonic() < until
                assert running.poll() is None
                time.sleep(0.05)
        with smtp:
            smtp.sendmail("zoe@example.com", [OWN], reply("Yes", answers="1-1-0@parcours.example"))
        assert [event.name for event in events()] == ["email.replied"]
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()
