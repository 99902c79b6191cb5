"""Loading: siblings, isolation, purity, and what an author's file may do wrong."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from dsl.bases import bases, only_bases
from dsl.broken import strayed
from dsl.ir import After
from dsl.loading import load
from dsl.problems import Problems

JOURNEY = """\
from dsl import *


class {name}(Journey):
    enters = Api()
    purpose = marketing
    done = Final()

    @Email("{template}")
    def hello(self) -> Arrows:
        yield after(days={days}) >> self.done
"""


def journey(name: str = "Care", template: str = "care/hello", days: int = 3) -> str:
    return JOURNEY.format(name=name, template=template, days=days)


def codes(path: Path) -> list[str]:
    with pytest.raises(Problems) as caught:
        load(path)
    return [error.code for error in caught.value]


def test_a_folder_gives_its_journeys_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text(journey("Second") + "\n\n" + journey("Third"))
    (tmp_path / "a.py").write_text(journey("First"))
    (tmp_path / "_helpers.py").write_text("raise RuntimeError('nobody imports it')")
    (tmp_path / "test_a.py").write_text("assert False")
    (tmp_path / "care").mkdir()
    loaded = load(tmp_path)
    assert [(one.cls.__name__, one.ir.name, one.file.name) for one in loaded] == [
        ("First", "first", "a.py"),
        ("Second", "second", "b.py"),
        ("Third", "third", "b.py"),
    ]
    assert [one.ir.notes["hello"].file for one in loaded] == ["a.py", "b.py", "b.py"]
    assert [one.ir.name for one in load(tmp_path / "b.py")] == ["second", "third"]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "_wine.py").write_text("DAYS = 5\n")
    (tmp_path / "care.py").write_text("from _wine import DAYS\n" + journey())
    modules, path = set(sys.modules), list(sys.path)
    load(tmp_path)
    assert set(sys.modules) == modules
    assert sys.path == path
    assert sorted(file.name for file in tmp_path.iterdir()) == ["_wine.py", "care.py"], "no byte code either"


@pytest.mark.parametrize(
    "line",
    [
        "from _wine import DAYS",
        "from ._wine import DAYS",
        "from . import _wine; DAYS = _wine.DAYS",
        "from my_journeys._wine import DAYS",
        "from my_journeys import _wine; DAYS = _wine.DAYS",
        "import _wine; DAYS = _wine.DAYS",
        "import _wine as w; DAYS = w.DAYS",
        "import my_journeys._wine; DAYS = my_journeys._wine.DAYS",
        "import my_journeys._wine as w; DAYS = w.DAYS",
    ],
)
def test_journeys_import_their_siblings(line: str, tmp_path: Path) -> None:
    folder = tmp_path / "my_journeys"
    folder.mkdir()
    (folder / "_wine.py").write_text("DAYS = 5\n")
    (folder / "care.py").write_text(f"{line}\n" + journey().replace("days=3", "days=DAYS"))
    (one,) = load(folder)
    assert one.ir.start.arrows[0].on == After(5 * 86400)


def test_a_sibling_is_one_module_however_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text(journey("Base"))
    (tmp_path / "care.py").write_text(
        "from base import Base\nfrom .base import Base as Same\nassert Base is Same\n\n\nclass Care(Base):\n    pass\n"
    )
    assert [one.ir.name for one in load(tmp_path)] == ["base", "care"], "an imported journey is not the importer's"


def test_siblings_may_be_imported_inside_a_body(tmp_path: Path) -> None:
    (tmp_path / "_wine.py").write_text("DAYS = 5\n")
    source = journey().replace(
        "        yield after(days=3)", "        from _wine import DAYS\n        yield after(days=DAYS)"
    )
    (tmp_path / "care.py").write_text(source)
    assert [one.ir.name for one in load(tmp_path)] == ["care"]


def test_journeys_made_by_a_siblings_function(tmp_path: Path) -> None:
    (tmp_path / "_made.py").write_text(
        "from dsl import *\n\n\ndef make(name):\n    class Made(Journey, name=name):\n        enters = Api()\n"
        "        done = Final()\n\n        @Wait()\n        def pause(self) -> Arrows:\n"
        "            yield after(days=3) >> self.done\n\n    return Made\n"
    )
    (tmp_path / "care.py").write_text("from _made import make\n\nSpring = make('spring')\nSummer = make('summer')\n")
    (tmp_path / "more.py").write_text("from care import Spring\n\nAutumn = make = Spring\n" + journey("More"))
    assert [(one.ir.name, one.file.name) for one in load(tmp_path)] == [
        ("spring", "care.py"),
        ("summer", "care.py"),
        ("more", "more.py"),
    ]


def test_journeys_made_by_a_function_may_stand_in_a_list_or_a_dict(tmp_path: Path) -> None:
    head = "from dsl import *\n\n\ndef make(name):\n"
    body = "".join(f"    {line}\n" for line in journey().splitlines()[3:]).replace("(Journey)", "(Journey, name=name)")
    made = "EVERY = [make('spring'), make('summer')]\nMORE = {'a': make('autumn')}\nLAST = (make('winter'), 3)\n"
    (tmp_path / "care.py").write_text(f"{head}{body}    return Care\n\n\n{made}")
    assert [one.ir.name for one in load(tmp_path)] == ["spring", "summer", "autumn", "winter"]


def test_a_folder_may_hold_files_that_are_no_journeys(tmp_path: Path) -> None:
    (tmp_path / "care.py").write_text(journey())
    (tmp_path / "._care.py").write_bytes(b"\x00\x05\x16\x07")  # macOS leaves these
    (tmp_path / "two-words.py").write_text(journey("Two"))
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(Problems) as caught:
        load(tmp_path)
    assert [(error.code, Path(error.file).name) for error in caught.value] == [("J145", "two-words.py")]
    assert [one.ir.name for one in caught.value.loaded] == ["care"]


def test_an_edit_is_seen_at_once(tmp_path: Path) -> None:
    file = tmp_path / "care.py"
    hashes: set[str] = set()
    for days in (3, 4, 5):
        file.write_text(journey(days=days))
        hashes.add(load(file)[0].ir.hash)
    assert len(hashes) == 3
    file.write_text(journey(days=3))
    assert load(file)[0].ir.hash in hashes
    (tmp_path / "_wine.py").write_text("DAYS = 6\n")
    file.write_text("from _wine import DAYS\n" + journey().replace("days=3", "days=DAYS"))
    first = load(tmp_path)[0].ir.hash
    (tmp_path / "_wine.py").write_text("DAYS = 7\n")
    assert load(tmp_path)[0].ir.hash != first


def test_one_broken_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def (")
    (tmp_path / "b.py").write_text(journey("Fine"))
    (tmp_path / "c.py").write_text(journey("Wrong").replace("self.done", "self.dome"))
    with pytest.raises(Problems) as caught:
        load(tmp_path)
    assert [(error.code, Path(error.file).name) for error in caught.value] == [("J140", "a.py"), ("J101", "c.py")]
    assert [one.ir.name for one in caught.value.loaded] == ["fine"]


def test_a_broken_sibling_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "_wine.py").write_text("1 / 0\n")
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text("from _wine import x\n")
    assert codes(tmp_path) == ["J142"]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (b"x = '\xff'\n", "J140"),
        (b"x = 1\0\n", "J140"),
        (b"if True:\nx = 1\n", "J140"),
        (b"raise SystemExit(3)\n", "J142"),
        (b"raise KeyError\n", "J142"),
        (b"eval('1 +')\n", "J142"),
        (b"def f(): f()\nf()\n", "J142"),
        (b"raise GeneratorExit\n", "J142"),
        (b"class E(BaseException):\n    def __str__(self): return 1 / 0\nraise E\n", "J142"),
        (b"x = " + b"-" * 20_000 + b"1\n", "J140"),
        (b"x = " + b"(" * 20_000 + b"\n", "J140"),
        (b"\xff\xfe" + "x = 1".encode("utf-16-le"), "J140"),
        (b"# -*- coding: nonsense -*-\n", "J140"),
        (b"from .. import x\n", "J141"),
        (b"from .nothing import x\n", "J141"),
        (b"", "J143"),
    ],
)
def test_a_file_may_be_broken_in_any_way(source: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / "care.py").write_bytes(source)
    assert codes(tmp_path) == [code]


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("raise SystemExit(3)", "J102", "SystemExit: this would end the program, not only the check"),
        ("raise BaseException('lost')", "J102", "BaseException: lost"),
        ("yield Mute()", "J102", "RuntimeError: mute"),
        ("yield then >> Mute()", "J102", "RuntimeError: mute"),
    ],
)
def test_what_the_compiler_does_not_catch_is_told_in_the_authors_file(
    line: str, code: str, said: str, tmp_path: Path
) -> None:
    mute = "class Mute:\n    def __repr__(self):\n        raise RuntimeError('mute')\n\n\n"
    source = journey().replace("        yield", f"        {line}\n        yield")
    (tmp_path / "care.py").write_text(mute + source)
    (tmp_path / "fine.py").write_text(journey("Fine"))
    with pytest.raises(Problems) as caught:
        load(tmp_path)
    assert [(error.code, error.message) for error in caught.value] == [(code, said)]
    assert caught.value.errors[0].line > 0
    assert [one.ir.name for one in caught.value.loaded] == ["fine"]


def test_an_interrupt_is_no_problem_of_the_author(tmp_path: Path) -> None:
    (tmp_path / "care.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path)
    (tmp_path / "care.py").write_text(
        journey().replace("        yield", "        raise KeyboardInterrupt\n        yield")
    )
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path)


def test_a_fault_of_ours_is_not_put_on_the_author() -> None:
    with pytest.raises(ZeroDivisionError):
        strayed(ZeroDivisionError("ours"))


@pytest.mark.parametrize("name", ["nothing", "care.txt", "two-words.py"])
def test_what_cant_be_loaded_is_said(name: str, tmp_path: Path) -> None:
    if name != "nothing":
        (tmp_path / name).write_text("")
    assert codes(tmp_path / name) == ["J145"]


def test_a_file_of_journeys_to_derive_from_is_fine(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text(journey("Base").replace("(Journey)", "(Journey, abstract=True)"))
    (tmp_path / "care.py").write_text("from base import Base\n\n\nclass Care(Base):\n    pass\n")
    assert [one.ir.name for one in load(tmp_path)] == ["care"]


def test_what_is_only_there_to_derive_from_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = Path("journeys")
    here.mkdir()
    base = journey("Base").replace("(Journey)", "(Journey, abstract=True)")
    (here / "base.py").write_text(base)
    (here / "broken.py").write_text("def (:\n")
    assert bases(here) == {"Base": "journeys/base.py"}
    assert only_bases(here / "base.py") == (
        "`Base` in journeys/base.py is abstract: a base for others, which nobody enters; "
        "derive one from it: class SpringBase(Base)"
    )
    (here / "more.py").write_text(base.replace("Base", "More"))
    assert only_bases(here).startswith(
        "`Base` in journeys/base.py, `More` in journeys/more.py are abstract: bases for others"
    )
    (here / "base.py").write_text("ABSTRACT = True\n" + base.replace("=True", "=ABSTRACT"))
    assert only_bases(here / "base.py") == "there is no journey in journeys/base.py"


def test_dataclasses_with_postponed_annotations_work(tmp_path: Path) -> None:
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass Plan:\n    days: int = 3\n\n\n"
    (tmp_path / "care.py").write_text(head + journey())
    assert [one.ir.name for one in load(tmp_path)] == ["care"]


def test_pythons_own_modules_come_first(tmp_path: Path) -> None:
    folder = tmp_path / "calendar"
    folder.mkdir()
    (folder / "random.py").write_text("DAYS = 5\n" + journey("Lots"))
    head = (
        "import random\nfrom calendar import monthrange\nfrom .random import DAYS\nassert not hasattr(random, 'DAYS')\n"
    )
    (folder / "care.py").write_text(head + journey())
    assert [one.ir.name for one in load(folder)] == ["care", "lots"]


def test_an_import_order_in_a_circle_ends(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import b\n" + journey("A"))
    (tmp_path / "b.py").write_text("import a\n" + journey("B"))
    assert [one.ir.name for one in load(tmp_path)] == ["a", "b"]


def test_loading_in_several_threads(tmp_path: Path) -> None:
    (tmp_path / "_wine.py").write_text("DAYS = 5\n")
    (tmp_path / "care.py").write_text("from _wine import DAYS\n" + journey())
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(load(tmp_path)[0].ir.hash)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_columns_count_characters_not_bytes(tmp_path: Path) -> None:
    source = journey().replace(
        "        yield after(days=3) >> self.done", "        é = 'déjà'; yield after(days=3) >> self.dome"
    )
    (tmp_path / "care.py").write_text(source)
    with pytest.raises(Problems) as caught:
        load(tmp_path)
    (error,) = caught.value.errors
    assert error.source[error.column - 1 : error.end_column - 1] == "self.dome"
    under = str(error).splitlines()[4]
    assert under.index("^") == str(error).splitlines()[3].index("self.dome")
