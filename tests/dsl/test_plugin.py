"""The pytest plugin as an author's project has it: arrow coverage of a session, its threshold, and goldens that go stale."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from dsl.testing.coverage import Coverage, Covered, read, report
from dsl.testing.goldens import Goldens, StaleGoldenError
from dsl.testing.paths import paths
from journeys.reorder import Reorder
from journeys.welcome import Welcome

pytest_plugins = ["pytester"]

JOURNEY = '''\
from dsl import Anywhere, Api, Arrows, Consent, Email, Final, Goal, Journey, after, marketing


class Hello(Journey):
    """Say hello."""

    enters = Api()
    purpose = marketing
    won = Goal()
    quiet = Final()
    out = Final()

    @Email("hello/hello")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.won
        yield after(days=3) >> self.quiet

    @Anywhere()
    def exits(self) -> Arrows:
        yield Consent.withdrawn >> self.out
'''
OTHER = """\
from dsl import Api, Arrows, Final, Journey, Wait, after


class Other(Journey):
    enters = Api()
    over = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield after(days=1) >> self.over
"""
CLICKED = "def test_clicked():\n    assert walk(Hello).tell(Email.clicked).reason == 'won'\n"
WAITED = "def test_waited():\n    assert walk(Hello).wait(days=3).reason == 'quiet'\n"
WITHDRAWN = "def test_withdrawn():\n    assert walk(Hello).tell(Consent.withdrawn).reason == 'out'\n"
HEAD = "from dsl import Consent, Email\nfrom dsl.testing import walk\nfrom hello import Hello\n\n\n"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with two journeys. What this very session is asked for is none of its business."""
    monkeypatch.delenv("PARCOURS_TEST_COVERAGE", raising=False)
    (pytester.path / "journeys").mkdir()
    (pytester.path / "journeys" / "hello.py").write_text(JOURNEY)
    (pytester.path / "journeys" / "other.py").write_text(OTHER)
    pytester.makeini(
        "[pytest]\npythonpath = journeys\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
    )
    return pytester


def lines(result: pytest.RunResult) -> list[str]:
    """The report, from its heading on."""
    start = next(place for place, line in enumerate(result.outlines) if "journey coverage" in line)
    return [line for line in result.outlines[start + 1 :] if not line.startswith("=")]


def test_A3_the_plugin_comes_with_the_package() -> None:
    (found,) = entry_points(group="pytest11", name="parcours")
    assert found.value == "dsl.testing.plugin"


def test_A3_a_session_tells_which_arrows_its_walks_took(project: pytest.Pytester) -> None:
    project.makepyfile(test_hello=HEAD + CLICKED, test_more=HEAD + WAITED)
    result = project.runpytest("--journey-coverage")
    assert lines(result) == ["hello   66 %  2 of 3 arrows", "    anywhere: consent withdrawn → out"]
    assert result.ret == 0
    assert not any("coverage" in line for line in project.runpytest().outlines), "nobody asked for it"


def test_A3_too_little_coverage_fails_the_session(project: pytest.Pytester) -> None:
    project.makepyfile(test_hello=HEAD + CLICKED + WAITED)
    assert project.runpytest("--journey-coverage-fail-under=66").ret == 0
    result = project.runpytest("--journey-coverage-fail-under=100")
    assert result.ret == 1
    assert lines(result)[-1] == "journey coverage: 66 % of the arrows were taken, 100 % are asked for"
    result.assert_outcomes(passed=2)
    project.makepyfile(test_more=HEAD + WITHDRAWN)
    assert project.runpytest("--journey-coverage-fail-under=100").ret == 0


def test_A3_where_tests_are_only_collected_nothing_is_counted(project: pytest.Pytester) -> None:
    project.makepyfile(test_hello=HEAD + CLICKED)
    result = project.runpytest("--collect-only", "--journey-coverage-of=journeys", "--journey-coverage-fail-under=100")
    assert result.ret == 0
    assert not any("coverage" in line for line in result.outlines)


def test_A3_journeys_that_nobody_walks_count_where_they_are_named(project: pytest.Pytester) -> None:
    project.makepyfile(test_hello=HEAD + CLICKED + WAITED + WITHDRAWN)
    result = project.runpytest("--journey-coverage-of=journeys", "--journey-coverage-fail-under=100")
    assert lines(result) == [
        "hello  100 %  3 of 3 arrows",
        "other    0 %  0 of 1 arrow",
        "    pause: after 1 d → over",
        "all     75 %  3 of 4 arrows",
        "journey coverage: 75 % of the arrows were taken, 100 % are asked for",
    ]
    assert result.ret == 1
    assert project.runpytest("--journey-coverage-of=journeys/hello.py", "--journey-coverage-fail-under=100").ret == 0


def test_A3_a_broken_journey_is_told_and_fails_the_session(project: pytest.Pytester) -> None:
    project.makepyfile(test_hello=HEAD + CLICKED)
    (project.path / "journeys" / "broken.py").write_text(OTHER.replace("self.over", "self.ovr"))
    result = project.runpytest("--journey-coverage-of=journeys")
    assert result.ret == 1
    told = lines(result)
    assert told[0].startswith("hello")
    assert "error[J101]: there is no state `ovr` in Other" in told
    assert project.runpytest("--journey-coverage-of=nowhere.py").ret == 1
    assert not any("Traceback" in line for line in result.outlines)


@pytest.mark.parametrize("given", ["900", "-1", "nan", "much"])
def test_A3_a_threshold_is_a_per_cent(project: pytest.Pytester, given: str) -> None:
    result = project.runpytest(f"--journey-coverage-fail-under={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any(f"'{given}' is no per cent: it goes from 0 to 100" in line for line in result.errlines)


def test_A3_a_failed_test_is_not_hidden_by_the_coverage(project: pytest.Pytester) -> None:
    project.makepyfile(test_hello=HEAD + CLICKED.replace("'won'", "'lost'"))
    assert project.runpytest("--journey-coverage-fail-under=0").ret == 1
    assert project.runpytest("--journey-coverage-of=nowhere").ret != 0


def test_A3_walks_in_other_processes_count(project: pytest.Pytester) -> None:
    inner = project.path / "inner"
    inner.mkdir()
    (inner / "test_waited.py").write_text(HEAD + WAITED)
    started = f"subprocess.run([{sys.executable!r}, '-m', 'pytest', '-q', 'inner'], check=True, capture_output=True)"
    forked = (
        "def test_forked():\n    child = os.fork()\n    if not child:\n        walk(Hello).tell(Consent.withdrawn)\n"
        "        item.config.hook.pytest_runtest_teardown(item=item, nextitem=None)\n        os._exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
    ).replace("def test_forked():", "def test_forked(request):\n    item = request.node")
    project.makepyfile(
        test_hello=f"import os, subprocess\n{HEAD}{CLICKED}\n\ndef test_started():\n    {started}\n\n\n{forked}"
    )
    result = project.runpytest_subprocess("--journey-coverage-fail-under=100", "test_hello.py")
    result.assert_outcomes(passed=3)
    assert result.ret == 0, result.outlines


def test_A3_a_process_that_another_one_has_started_writes_and_leaves_the_report_to_it(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.path / "told"
    folder.mkdir()
    monkeypatch.setenv("PARCOURS_TEST_COVERAGE", str(folder))
    project.makepyfile(test_hello=HEAD + CLICKED)
    result = project.runpytest("--journey-coverage-fail-under=100")
    assert result.ret == 0
    assert not any("journey coverage" in line for line in result.outlines)
    (covered,) = read(folder).values()
    assert covered.taken == {0}


def test_A3_an_arrow_is_noted_once_however_often_it_is_taken(tmp_path: Path) -> None:
    ir, coverage = paths(Welcome).ir, Coverage(tmp_path)
    for _ in range(2):
        coverage.note(ir, 3)
        coverage.flush()
    (file,) = tmp_path.iterdir()
    assert len(file.read_text().splitlines()) == 1


def test_A3_two_versions_of_a_journey_are_told_apart() -> None:
    first, second = paths(Welcome).ir, paths(Reorder).ir
    told = list(report([Covered(first, {0}), Covered(second)]))
    assert told[0] == "reorder    0 %  0 of 12 arrows"
    assert told[-1] == "all        4 %  1 of 24 arrows"
    assert list(report([])) == ["all  100 %  0 of 0 arrows"]


# --- goldens ----------------------------------------------------------------------------------------------------------

GOLDENS = """\
from hello import Hello


def test_as_reviewed(goldens):
    goldens.picture(Hello)
    goldens.picture(Hello, ".mmd")
    goldens.picture(Hello, ".txt")
    goldens.paths(Hello)
"""


def test_A3_goldens_are_written_when_asked_compared_else_and_stale_ones_say_what_differs(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(test_hello=GOLDENS)
    missing = project.runpytest()
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(["*goldens/hello.svg is not there yet*", "*look at it anew: pytest --renew-goldens*"])
    written = project.runpytest("--renew-goldens")
    written.assert_outcomes(passed=1)
    written.stdout.fnmatch_lines(["renewed *goldens/hello.svg: look at it before you commit it"])
    kept = sorted(file.name for file in (project.path / "goldens").iterdir())
    assert kept == ["hello.mmd", "hello.paths.txt", "hello.svg", "hello.txt"]
    project.runpytest("--journey-coverage-fail-under=100").assert_outcomes(passed=1)

    file = project.path / "journeys" / "hello.py"
    file.write_text(f"# a line above moves nothing\n{JOURNEY}")
    project.runpytest().assert_outcomes(passed=1)
    file.write_text(JOURNEY.replace("days=3", "days=4"))
    stale = project.runpytest()
    stale.assert_outcomes(failed=1)
    stale.stdout.fnmatch_lines(["*hello.svg is not what was reviewed:*", "*-no answer in 3 d", "*+no answer in 4 d"])


def test_A3_a_stale_golden_says_it_in_few_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    goldens = Goldens(tmp_path / "kept", renew=True)
    goldens.same("a.txt", "".join(f"{n}\n" for n in range(200)))
    goldens.same("b.svg", '<svg><style>a</style><text x="1">one</text></svg>')
    goldens.same("a.txt", "".join(f"{n}\n" for n in range(200)))
    assert goldens.renewed == [tmp_path / "kept" / "a.txt", tmp_path / "kept" / "b.svg"], "what is so needs no writing"
    goldens = Goldens(tmp_path / "kept")
    with pytest.raises(StaleGoldenError, match=r"and \d+ lines more") as told:
        goldens.same("a.txt", "other\n" * 200)
    assert len(str(told.value).splitlines()) < 70
    assert str(told.value).startswith("kept/a.txt is not what was reviewed")
    with pytest.raises(StaleGoldenError, match="the same words, in other places or colours"):
        goldens.same("b.svg", '<svg><style>b</style><text x="2">one</text></svg>')
    monkeypatch.chdir("/")
    with pytest.raises(StaleGoldenError, match=r"kept/c\.txt is not there yet"):
        goldens.same("c.txt", "")
    with pytest.raises(ValueError, match=r"not '\.png'"):
        goldens.picture(Welcome, ".png")


def test_A3_the_kit_imports_the_language_and_pytest_alone() -> None:
    script = (
        "import sys, dsl.testing.plugin, dsl.testing.goldens, dsl.testing.paths;"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'engine', 'api', 'workers', 'sqlalchemy', 'temporalio'}))"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"
