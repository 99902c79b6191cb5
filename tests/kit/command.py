"""The command as a process, in a project's folder, which is what a user at a shell gets; and in this process, for many in a row."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from unittest.mock import patch

from kit import ready
from typer.main import get_command
from typer.testing import CliRunner, Result

from api.command import app

__all__ = ["as_text", "invoke", "parcours"]

_RUNNER = CliRunner()
_made = cache(get_command)  # 50 commands: typer takes a tenth of a second for them, each time


def invoke(*arguments: str, env: Mapping[str, str] | None = None) -> Result:
    """Run the command in this process."""
    with patch("typer.testing._get_command", _made):
        return _RUNNER.invoke(app, arguments, env=env)


def parcours(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a project's folder: its journeys are in `journeys`, what is kept is in `var`."""
    env = {
        "PATH": os.environ["PATH"],
        "PARCOURS_DATA": str(project / "var"),
        "PARCOURS_JOURNEYS": str(project / "journeys"),
        "COLUMNS": "160",
        **environment,
    }
    return as_text(ready.run(arguments, folder=project, env=env))


def as_text(done: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[str]:
    """What it wrote, as text."""
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
