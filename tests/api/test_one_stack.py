"""One stack to a data folder: a second is refused, and what a killed one has left behind is ended, by itself or by the next."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from workers.server import free_port

LIMIT = 120


def up(folder: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "api.command", "up", "--temporal-ui", "0"],
        cwd=folder, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def comes_up(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Parcours is up" in line:
            return
    raise AssertionError(said)


def until(fact: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not fact():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def lives(pid: int) -> bool:
    """Whether the process runs: one that ended, and that nobody has asked about, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes in /proc")
def test_S1_a_stack_that_was_killed_leaves_nothing_that_works_beside_the_next(tmp_path: Path) -> None:
    ports = {name: str(free_port()) for name in ("PARCOURS_PORT", "PARCOURS_SMTP_PORT", "PARCOURS_MAIL_IN_PORT")}
    env = {**ports, "PARCOURS_SMS_URL": f"http://127.0.0.1:{free_port()}", "PARCOURS_DATA": str(tmp_path / "var")}
    first = up(tmp_path, env)
    second = None
    try:
        comes_up(first)
        theirs = children(first.pid)
        temporal = int((tmp_path / "var" / "temporal" / "temporal.lock").read_text())
        assert temporal in theirs
        assert len(theirs) == 5  # Temporal, the stand-ins, the receiver, the worker, the API

        beside = up(tmp_path, {**env, "PARCOURS_PORT": str(free_port())})
        said, _ = beside.communicate(timeout=LIMIT)
        assert (beside.returncode, f"error[already_up]: another `parcours up` (process {first.pid})" in said) == (
            1,
            True,
        )

        first.kill()
        first.wait()
        until(lambda: not any(lives(pid) for pid in theirs if pid != temporal), "ours end when the stack is gone")
        assert lives(temporal), "it can't tell; the next `parcours up` ends it"

        second = up(tmp_path, env)
        comes_up(second)
        assert not lives(temporal)
        theirs = children(second.pid)
        second.send_signal(signal.SIGHUP)  # the terminal was closed
        assert second.wait(LIMIT) == 0
        assert not any(lives(pid) for pid in theirs)
    finally:
        for process in (first, second):
            if process is not None:
                process.terminate()
                process.communicate(timeout=LIMIT)


def test_a_port_that_somebody_has_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = {"PARCOURS_PORT": str(port), "PARCOURS_DATA": str(tmp_path / "var"), "PARCOURS_MAIL_IN_PORT": "0"}
        process = up(tmp_path, env)
        said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert f"127.0.0.1:{port} can't be had" in said.replace("\n", " ")
    assert "PARCOURS_PORT" in said
    assert not (tmp_path / "var" / "temporal").exists()
