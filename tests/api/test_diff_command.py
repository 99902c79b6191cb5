"""`parcours diff`, as a process: files, git revisions and published versions, and what it says where it can't compare."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

HELLO = '''
from _shop import PAUSE

from dsl import Api, Arrows, Final, Goal, Journey, Sms, after, marketing, never


class Hello(Journey):
    """Says hello."""

    enters = Api()
    again = never
    purpose = marketing

    won = Goal()
    lapsed = Final()

    @Sms("hello/text")
    def text(self) -> Arrows:
        yield Sms.clicked >> self.won
        yield after(PAUSE) >> self.lapsed
'''
SHOP = "from dsl import days\n\nPAUSE = days(2)\n"
BYE = HELLO.replace("class Hello", "class Bye")


def git(project: Path, *arguments: str) -> str:
    """Git, on nobody's settings but these."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(project),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": "2026-03-01T12:00:00Z",
        "GIT_COMMITTER_DATE": "2026-03-01T12:00:00Z",
    }
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    program = ["git", *who, *arguments]
    return subprocess.run(program, cwd=project, env=env, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with two commits: the shop's pause became three days, in a file that the journey imports."""
    folder = tmp_path / "journeys"
    (folder / "hello").mkdir(parents=True)
    (folder / "hello.py").write_text(HELLO)
    (folder / "_shop.py").write_text(SHOP)
    (folder / "hello" / "text.en.txt").write_text("Hello, see {{ link('https://shop.example', 'shop') }}")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "journeys")
    git(tmp_path, "commit", "--quiet", "-m", "First")
    git(tmp_path, "tag", "v1")
    (folder / "_shop.py").write_text(SHOP.replace("days(2)", "days(3)"))
    (folder / "bye.py").write_text(BYE)
    git(tmp_path, "add", "journeys")
    git(tmp_path, "commit", "--quiet", "-m", "Second")
    return tmp_path


def parcours(
    project: Path, *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a project's folder."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(project),
        "PARCOURS_DATA": str(project / "var"),
        "PARCOURS_JOURNEYS": str(project / "journeys"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **environment,
    }
    program = [sys.executable, "-m", "api.command", *arguments]
    return subprocess.run(program, cwd=cwd or project, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "names",
    [
        ("journeys/hello.py@v1", "journeys/hello.py"),
        ("v1:journeys/hello.py", "HEAD:journeys/hello.py"),
        ("v1:./journeys/hello.py", "journeys/hello.py@HEAD"),
        ("HEAD~1:journeys", "journeys/hello.py"),
        ("journeys@HEAD~1", "./journeys/hello.py@main"),
    ],
)
def test_a_revision_is_loaded_with_the_files_beside_it_as_they_were_then(project: Path, names: tuple[str, str]) -> None:
    run = parcours(project, "diff", *names, "--journey", "hello")

    assert (run.returncode, run.stderr) == (1, "")
    assert "~ no answer in 2 d ┄┄▶ ◉ lapsed  ⇒  no answer in 3 d" in run.stdout
    assert f"--- {names[0]}\n+++ {names[1]}\n" in run.stdout
    assert git(project, "status", "--porcelain", "--ignored") == "", "the work tree isn't touched"


def test_what_does_the_same_ends_with_0(project: Path) -> None:
    run = parcours(project, "diff", "journeys/hello.py@HEAD", "journeys/hello.py")

    assert (run.returncode, "both do the same" in run.stdout) == (0, True)


def test_one_file_alone_is_compared_with_its_last_commit(project: Path) -> None:
    assert parcours(project, "diff", "journeys/hello.py").returncode == 0
    (project / "journeys" / "_shop.py").write_text(SHOP)

    run = parcours(project, "diff", "hello.py", cwd=project / "journeys")
    assert run.returncode == 1
    assert "no answer in 3 d ┄┄▶ ◉ lapsed  ⇒  no answer in 2 d" in run.stdout


@pytest.mark.parametrize("name", ["journeys/hello.py@v1", "v1:journeys/hello.py"])
def test_a_revision_alone_is_compared_with_the_file_as_it_is(project: Path, name: str) -> None:
    run = parcours(project, "diff", name)

    assert (run.returncode, run.stderr) == (1, "")
    assert f"--- {name}\n+++ journeys/hello.py\n" in run.stdout


def test_a_file_that_is_gone_today_is_found_where_it_was(project: Path) -> None:
    git(project, "rm", "--quiet", "-r", "journeys/hello.py")
    git(project, "mv", "journeys/bye.py", "bye.py")
    git(project, "mv", "journeys/_shop.py", "_shop.py")

    run = parcours(project, "diff", "journeys/hello.py@HEAD", "bye.py")
    assert run.returncode == 1
    assert "~ name  hello → bye" in run.stdout


def test_published_versions_are_compared_by_name_number_and_hash(project: Path) -> None:
    git(project, "checkout", "--quiet", "v1")
    assert parcours(project, "publish").returncode == 0
    first = parcours(project, "hash").stdout.split()[0]
    git(project, "checkout", "--quiet", "main")
    assert parcours(project, "publish", "journeys/hello.py").returncode == 0

    none = parcours(project, "diff", "published:none", "journeys/hello.py")
    assert (none.returncode, "there is no journey 'none'; published: hello" in none.stderr) == (2, True)
    same = parcours(project, "diff", "published:hello", "journeys/hello.py")
    assert (same.returncode, same.stderr) == (0, "")
    for version in ("v1", first, first[:8]):
        run = parcours(project, "diff", f"published:hello@{version}", "published:hello")
        assert run.returncode == 1, version
        assert "⇒  no answer in 3 d" in run.stdout
    unknown = parcours(project, "diff", "published:hello@v9", "published:hello")
    assert unknown.returncode == 2
    assert "journey 'hello' has no version 'v9'; published: v2 (" in unknown.stderr
    assert f"v1 ({first[:12]})" in unknown.stderr


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_is_drawn_by_its_ending(project: Path, theme: str) -> None:
    for name in ("change.svg", "change.png"):
        run = parcours(project, "diff", "journeys/hello.py@v1", "journeys/hello.py", "-o", name, "--theme", theme)
        assert run.returncode == 1
        assert run.stdout.endswith(f"\n{name}\n")
    assert 'class="parcours diff"' in (project / "change.svg").read_text()
    with Image.open(project / "change.png") as image:
        paper = image.convert("RGB").getpixel((2, 2))
    assert paper == ((255, 255, 255) if theme == "light" else (16, 21, 29))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["journeys/hello.py@v7", "journeys/hello.py"], "there is no revision 'v7' in "),
        (["journeys/hello.py@--upload-pack=x", "journeys/hello.py"], "'--upload-pack=x' is no revision"),
        (["journeys/bye.py@v1", "journeys/bye.py"], "there is no 'journeys/bye.py' in v1 ("),
        (["journeys/bye.py@v1", "journeys/bye.py"], "; it was added in "),
        (["journeys/none.py", "journeys/hello.py"], "there is no file or folder 'journeys/none.py'"),
        (
            ["journeys", "journeys/hello.py", "-j", "none"],
            "there is no journey 'none' in journeys; there are: bye, hello",
        ),
        (["journeys", "journeys"], "there are 2 journeys in journeys; choose one with --journey: bye, hello"),
        (["published:hello", "journeys/hello.py"], "error[no_database]: there is no database sqlite:///"),
        (["published:hello"], "say what to compare 'published:hello' with: a file, or another version"),
        (["journeys/none.py"], "there is no file or folder 'journeys/none.py'"),
        (["", "journeys/hello.py"], "error: there is no file or folder ''"),
        (["journeys/hello.py@"], "there is no file or folder 'journeys/hello.py@'"),
        (["journeys/none.py@HEAD"], "there is no 'journeys/none.py' in HEAD ("),
        (["journeys/hello.py", "-o", "x.gif"], "a .svg or .png file, not 'x.gif'"),
        (["journeys/hello.py", "--theme", "mauve"], "auto, light or dark, not 'mauve'"),
        (["/x.py@HEAD", "journeys/hello.py"], "not a git repository"),
    ],
)
def test_what_can_not_be_compared_ends_with_2_and_says_why(project: Path, arguments: list[str], says: str) -> None:
    run = parcours(project, "diff", *arguments, COLUMNS="400")

    assert run.returncode == 2
    assert says in run.stderr
    assert "Traceback" not in run.stderr
    assert not (project / "var").exists(), "whoever compares makes no database"


def test_a_journey_that_was_broken_then_is_told_in_its_place(project: Path) -> None:
    (project / "journeys" / "hello.py").write_text(HELLO.replace("self.lapsed", "self.lapse"))
    git(project, "commit", "--quiet", "-a", "-m", "Broken")

    run = parcours(project, "diff", "journeys/hello.py@HEAD", "journeys/bye.py")
    assert run.returncode == 2
    assert "--> journeys/hello.py@HEAD:2" in run.stderr
    assert "did you mean `lapsed`?" in run.stderr
    assert "error: journeys/hello.py@HEAD can't be loaded" in run.stderr
    sound = parcours(project, "diff", "journeys@HEAD", "journeys/bye.py", "-j", "bye")
    assert sound.returncode == 0


def test_without_git_files_are_compared_still(project: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    run = parcours(project, "diff", "journeys/hello.py@v1", "journeys/hello.py", PATH=str(empty))
    assert run.returncode == 2
    assert "a revision needs git, and there is none on the path" in run.stderr
    assert parcours(project, "diff", "journeys/hello.py", "journeys/hello.py", PATH=str(empty)).returncode == 0


def test_a_database_that_can_not_be_used_is_trouble_not_a_difference(project: Path) -> None:
    run = parcours(project, "diff", "published:hello", "journeys/hello.py", PARCOURS_DATABASE="nonsense")

    assert run.returncode == 2
    assert "PARCOURS_DATABASE" in run.stderr
