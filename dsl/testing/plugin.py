"""The pytest plugin: which arrows the session's walks take, and the goldens. It comes with parcours, as an entry point.

    pytest --journey-coverage                                    # what the walks took, and what they didn't
    pytest --journey-coverage-of journeys                        # of these journeys, walked or not
    pytest --journey-coverage-fail-under 100                     # and fail if an arrow is left

Walks in other processes count too, where they are pytest's: xdist's workers, forked tests, a pytest that a test starts.
"""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentTypeError
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

import pytest

from dsl.testing.coverage import Coverage, Covered, percent, read, report
from dsl.testing.driver import taking

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from dsl.ir import IR
    from dsl.testing.goldens import Goldens

__all__ = ["goldens", "pytest_addoption", "pytest_configure", "pytest_terminal_summary"]

_FOLDER: Final = "PARCOURS_TEST_COVERAGE"
"""The variable by which the processes of a session know where to write; the first one reads it all."""
_RENEWED: Final = pytest.StashKey[list[Path]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("parcours", "customer journeys")
    group.addoption("--journey-coverage", action="store_true", help="which arrows the walks of this session took")
    group.addoption(
        "--journey-coverage-of", action="append", default=[], metavar="PATH",
        help="count the journeys of this file or folder, walked or not, and no others; may be repeated",
    )  # fmt: skip
    group.addoption(
        "--journey-coverage-fail-under", type=_per_cent, metavar="PERCENT", help="fail if fewer of the arrows are taken"
    )
    group.addoption("--renew-goldens", action="store_true", help="write the goldens anew instead of comparing them")


def pytest_configure(config: pytest.Config) -> None:
    """Listen to the walks, if somebody asked for it: here, or in the process that has started this one."""
    config.stash[_RENEWED] = []
    option = config.option
    asked = option.journey_coverage or option.journey_coverage_of or option.journey_coverage_fail_under is not None
    if (asked or _FOLDER in os.environ) and not option.collectonly:  # where no test runs, nobody walks
        config.pluginmanager.register(_Recorder(config), "parcours-journey-coverage")


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Which goldens were written."""
    for file in config.stash[_RENEWED]:
        terminalreporter.write_line(f"renewed {file}: look at it before you commit it")


@pytest.fixture
def goldens(request: pytest.FixtureRequest) -> Generator[Goldens]:
    """Reviewed pictures and paths, in the folder `goldens` beside the test's file; `--renew-goldens` writes them."""
    from dsl.testing.goldens import Goldens  # noqa: PLC0415  # whoever has no goldens needs no pictures

    kept = Goldens(request.path.parent / "goldens", renew=request.config.option.renew_goldens)
    yield kept
    request.config.stash[_RENEWED].extend(kept.renewed)


class _Recorder:
    """Listens to all the walks of a session."""

    def __init__(self, config: pytest.Config) -> None:
        self._option = config.option
        self._first = _FOLDER not in os.environ
        self._folder = Path(os.environ.setdefault(_FOLDER, mkdtemp(prefix="journey-coverage-") if self._first else ""))
        self._coverage = Coverage(self._folder)
        self._counted: list[Covered] = []
        self._broken = ""
        """What is wrong with the journeys that were to be counted."""
        taking.append(self._coverage.note)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        self._coverage.flush()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self) -> None:
        self._coverage.flush()  # in the process of the test, which may be another one than the one that logs

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._coverage.flush()
        if self._first:
            self._counted, self._broken = _counted(self._option.journey_coverage_of, read(self._folder))
            well = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
            if well and (self._short() or self._broken):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if self._first:
            terminalreporter.write_sep("-", "journey coverage")
            for line in report(self._counted) if self._counted or not self._broken else ():
                terminalreporter.write_line(line)
            for line in (*self._broken.splitlines(), *self._short().splitlines()):
                terminalreporter.write_line(line, red=True)

    def pytest_unconfigure(self) -> None:
        taking.remove(self._coverage.note)
        if self._first:
            del os.environ[_FOLDER]
            shutil.rmtree(self._folder, ignore_errors=True)

    def _short(self) -> str:
        """By how much the threshold is missed; empty where it isn't."""
        wanted: float | None = self._option.journey_coverage_fail_under
        every = sum(len(each.ir.arrows) for each in self._counted)
        taken = every - sum(len(each.missed) for each in self._counted)
        if wanted is None or taken * 100 >= wanted * every:
            return ""
        return f"journey coverage: {percent(taken, every)} % of the arrows were taken, {wanted:g} % are asked for"


def _counted(paths: list[str], walked: dict[str, Covered]) -> tuple[list[Covered], str]:
    """What is to be covered: what the paths hold, or all that was walked; and what is wrong with what they hold."""
    if not paths:
        return list(walked.values()), ""
    from dsl.loading import load  # noqa: PLC0415  # only where it is asked for
    from dsl.problems import Problems  # noqa: PLC0415  # as above

    loaded: dict[str, IR] = {}
    wrong: list[str] = []
    for path in paths:
        try:
            sound = load(path)
        except Problems as problems:
            sound = problems.loaded
            wrong.append(str(problems))
        loaded |= {found.ir.hash: found.ir for found in sound}
    return [walked.get(key, Covered(ir)) for key, ir in loaded.items()], "\n\n".join(wrong)


def _per_cent(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) <= 100:
            return float(text)
    raise ArgumentTypeError(f"{text!r} is no per cent: it goes from 0 to 100")
