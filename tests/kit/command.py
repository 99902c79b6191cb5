"""The command as a process, in a project's folder, which is what a user at a shell gets; and in this process, for many in a row."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from unittest.mock import patch

from typer.main import get_command
from typer.testing import CliRunner, Result

from api.command import app

__all__ = ["invoke", "parcours"]

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
    program = [sys.executable, "-m", "api.command", *arguments]
    root = str(Path(__file__).parents[2])
    return subprocess.run(  # our own command
        program, cwd=project, env={**env, "PYTHONPATH": root}, capture_output=True, text=True, timeout=60, check=False
    )
