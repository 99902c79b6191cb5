"""Turns: writers of one file wait for each other, in one process and in several, and a dead one holds nobody up."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.turns import Turns


def test_one_at_a_time_among_threads(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "x.db")
    inside: list[int] = []
    most: list[int] = []
    guard = threading.Lock()

    def work(number: int) -> None:
        with turns.turn():
            with guard:
                inside.append(number)
                most.append(len(inside))
            with guard:
                inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))
    assert max(most) == 1


def test_another_process_waits_and_a_killed_one_gives_way(tmp_path: Path) -> None:
    holder = (
        "import sys, time; from pathlib import Path; from engine.turns import Turns\n"
        "with Turns(Path(sys.argv[1])).turn():\n    print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", holder, str(tmp_path / "x.db")], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    entered = threading.Event()

    def enter() -> None:
        with Turns(tmp_path / "x.db").turn():
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.3)
    child.kill()
    child.wait()
    assert entered.wait(60)
    waiting.join()
    child.stdout.close()
