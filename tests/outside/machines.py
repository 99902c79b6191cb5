"""XState 5 as the other interpreter: in node, where node is there, one process for all walks."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from outside.walks import Script, Trace

from dsl.export import xstate
from dsl.ir import IR

__all__ = ["installed", "retraced"]

HERE: Final = Path(__file__).parent
PACKAGE: Final = ("package.json", "package-lock.json")
"""They pin XState, by version and hash."""
OLDEST: Final = 18


def installed(folder: Path) -> Path:
    """A folder with XState in it, installed there once. Skips the test, with the reason, where it can't be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("XState was not asked: node or npm is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < OLDEST:
        pytest.skip(f"XState was not asked: it needs node {OLDEST} or newer, this is {version}")
    done = all(
        (folder / name).is_file() and (folder / name).read_text() == (HERE / name).read_text() for name in PACKAGE
    )
    return folder if done else _install(npm, folder)


def _install(npm: str, folder: Path) -> Path:
    """First in a folder within; its package files come out last, so that a broken install is never taken for one."""
    fresh = folder / "fresh"
    for old in (fresh, folder / "node_modules"):
        shutil.rmtree(old, ignore_errors=True)
    fresh.mkdir()
    for name in PACKAGE:
        shutil.copy(HERE / name, fresh)
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000")
    try:
        run = subprocess.run([npm, "ci", *options], cwd=fresh, capture_output=True, text=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("XState was not asked: npm took too long to install it")
    if run.returncode != 0:
        said = [line for line in run.stderr.splitlines() if line.startswith("npm error")] or ["no word why"]
        pytest.skip(f"XState was not asked: npm can't install it ({said[0]})")
    for name in ("node_modules", *PACKAGE):
        (fresh / name).replace(folder / name)
    return folder


def retraced(walks: list[tuple[IR, Script, Trace]], folder: Path) -> list[Trace]:
    """Where the interpreter goes on each of the walks, when it is told its script."""
    machines: dict[str, str] = {}
    asked: list[str] = []
    for ir, script, _ in walks:
        if ir.hash not in machines:
            machines[ir.hash] = xstate(ir)
        told = [{"at": tell.at, "kind": tell.kind, "data": tell.data} for tell in script]
        asked.append(json.dumps({"machine": list(machines).index(ir.hash), "script": told}))
    given = f'{{"machines": [{", ".join(machines.values())}], "walks": [{", ".join(asked)}]}}'
    node = shutil.which("node") or "node"
    run = subprocess.run(
        [node, str(HERE / "walks.mjs"), str(folder)], input=given, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr, "XState warns of the machine"
    return [[(at, name) for at, name in trace] for trace in json.loads(run.stdout)]
