"""Bad input: whatever an author writes, or a file is called, is refused with a place, or does no harm. No traceback of ours."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from kit.command import invoke
from kit.naughty import NAUGHTY

from dsl.draw.mermaid import mermaid
from dsl.ir_json import from_json, to_json
from dsl.loading import Loaded, load
from dsl.problems import JourneyError, Problems

JOURNEY = '''\
from dsl import *


class Care{number}(Journey{name}):
    """{docstring}"""

    enters = Api()
    purpose = marketing
    done = Final({doc})

    @Email({template})
    def hello(self) -> Arrows:
        yield Email.clicked.link({link}) >> self.done
        yield Email.replied.any_send().keyword({keyword}) >> self.done
        yield Email.clicked.when(Customer.city == {city}) >> {target}
        yield after(days=3) >> self.call

    @Call("care/call", queue={queue})
    def call(self) -> Arrows:
        yield Call.interested >> self.done
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=3) >> self.done
'''
STATE = """\
from dsl import *


def make(name):
    class Care{number}(Journey):
        enters = Api()
        purpose = marketing
        done = Final()

        def hello(self) -> Arrows:
            yield after(days=3) >> self.done

        locals()[name] = Email("care/hello")(hello)

    return Care{number}


Care = make({text})
"""


def source(number: int, **parts: str) -> str:
    usual = {
        "name": "", "docstring": "It cares.", "doc": "''", "template": "'care/hello'", "link": "'shop'", "keyword": "'YES'",
        "city": "'Paris'", "target": "self.done", "queue": "'care'",
    }  # fmt: skip
    return JOURNEY.format(number=number, **{**usual, **parts})


MAIL = """<mjml><mj-head><mj-title>Hello</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>
<a href="{{ link('https://shop.example', 'shop') }}">The shop</a> <a href="{{ unsubscribe_url }}">No more</a>
{{ brand.address }}
</mj-text></mj-column></mj-section></mj-body></mjml>
"""

WRITTEN: dict[str, Callable[[int, str], str]] = {
    "journey": lambda number, text: source(number, name=f", name={text!r}"),
    "state": lambda number, text: STATE.format(number=number, text=repr(text)),
    "end": lambda number, text: source(number, doc=repr(text)),
    "was": lambda number, text: source(number, doc=f"was={text!r}"),
    "template": lambda number, text: source(number, template=repr(text)),
    "queue": lambda number, text: source(number, queue=repr(text)),
    "link": lambda number, text: source(number, link=repr(text)),
    "keyword": lambda number, text: source(number, keyword=repr(text)),
    "value": lambda number, text: source(number, city=repr(text)),
    "target": lambda number, text: source(number, target=f"getattr(self, {text!r})"),
    "family": lambda number, text: (
        f"from dsl import *\n\n\nclass Loyal(Events, name={text!r}):\n    up = event()\n\n\n"
        + source(number).replace("Api()", "Loyal.up")
    ),
    "fact": lambda number, text: (
        f"from dsl import *\n\n\nclass Member(Customer):\n    tier = text(key={text!r})\n\n\n"
        + source(number).replace("Customer.city", "Member.tier")
    ),
    "exception": lambda _, text: f"raise ValueError({text!r})\n",
    "exception of a body": lambda number, text: source(number, target=f"self.done\n        raise ValueError({text!r})"),
    "yielded": lambda number, text: source(number, target=f"self.done\n        yield {text!r}"),
    "the text of a docstring": lambda number, text: source(number, docstring=text),
    "the text of a string": lambda number, text: source(number, queue=f"'{text}'"),
    "the name of a method": lambda number, text: source(number).replace("def hello", f"def {text}"),
    "the name after self": lambda number, text: source(number, target=f"self.{text}"),
    "the name of the class": lambda number, text: source(number).replace(f"class Care{number}", f"class {text}"),
}
"""A source per place where a naughty string may stand, written as Python's literal or (below) as it is."""


def loading(path: Path) -> tuple[Loaded | None, Sequence[JourneyError]]:
    """The first journey of a file or folder, if one is sound, and the problems."""
    try:
        return load(path)[0], ()
    except Problems as problems:
        return next(iter(problems.loaded), None), problems.errors


def check_error(error: JourneyError, folder: Path) -> None:
    """It has a place in the author's file, and can be printed."""
    text = str(error)
    assert error.line > 0
    assert 0 < error.column < error.end_column
    assert (folder / error.file).is_file()
    assert "\n" + " " * len(str(error.line)) + "--> " in text
    assert "^" in text or not error.source.strip()
    assert "dsl/" not in text.replace("dsl/x.py:1:1", "")
    assert [c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")] == []
    assert len(text) < 10_000
    text.encode()


@pytest.mark.parametrize("place", WRITTEN)
def test_a_naughty_string_is_refused_with_a_place_or_does_no_harm(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, accepted = 0, set[str]()
    sound = tmp_path / "sound"
    sound.mkdir()
    monkeypatch.chdir(tmp_path)
    for number, text in enumerate(NAUGHTY):
        file = tmp_path / f"care{number}.py"
        file.write_bytes(WRITTEN[place](number, text).encode("utf-8", "surrogatepass"))
        loaded, errors = loading(file)
        if loaded is None:
            refused += 1
            assert errors
            for error in errors:
                check_error(error, tmp_path)
            continue
        assert len(loaded.ir.hash) == 64
        assert from_json(to_json(loaded.ir)) == loaded.ir
        assert mermaid(loaded.ir)
        if loaded.ir.name not in accepted:
            accepted.add(loaded.ir.name)
            (sound / file.name).write_bytes(file.read_bytes())
    assert refused >= {"end": 10, "queue": 10, "link": 10, "keyword": 10, "value": 5, "the text of a docstring": 5}.get(
        place, 20
    )
    if accepted:
        every_command(sound, accepted, publish=place in ("journey", "end", "queue"))


def every_command(folder: Path, names: set[str], *, publish: bool) -> None:
    """What was accepted can be shown, hashed, drawn and published, all of a folder at once."""
    if publish:
        (folder / "care").mkdir()
        (folder / "care" / "hello.en.mjml").write_text(MAIL)
        (folder / "care" / "call.en.html").write_text("<title>Care</title>")
    for command in ("show", "hash", "draw", *(("check", "publish") if publish else ())):
        run = invoke(command, str(folder), env={"PARCOURS_DATA": "var"})
        assert run.exit_code == 0, run.output
        run.output.encode()
    assert {file.stem for file in Path().glob("*.svg")} == names


def test_a_file_of_a_naughty_name_is_refused_by_its_name_or_does_no_harm(tmp_path: Path) -> None:
    refused = 0
    for number, text in enumerate(text for text in NAUGHTY if "/" not in text):
        folder = tmp_path / f"journeys{number}"
        folder.mkdir()
        (folder / "fine.py").write_text(source(0))
        try:
            (folder / f"{text}.py").write_text(source(1))
        except (OSError, ValueError):
            continue  # no file can have this name
        loaded, errors = loading(folder)
        assert loaded is not None
        assert loaded.ir.name in ("care0", "care1")
        if errors:
            refused += 1
            assert [error.code for error in errors] == ["J145"]
            assert errors[0].help.startswith("a journey file is a Python file")
            str(errors[0]).encode()
    assert refused > 50


@pytest.mark.parametrize("command", ["check", "draw", "publish"])
def test_a_naughty_path_is_refused(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "empty" / "folder"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for text in filter(_argument, NAUGHTY):
        run = invoke(command, "--", text)
        assert run.exit_code == 1, ascii((text, run.exception))
        assert run.stderr.startswith("error[J145]: ")
        assert not any(folder.iterdir())


def _argument(text: str) -> bool:
    """Whether a command line can hold it."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def test_bytes_that_are_no_letters_name_no_journey_file(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).write_text(source(0))
    with pytest.raises(Problems) as caught:
        load(tmp_path)
    assert [error.code for error in caught.value] == ["J145"]
    assert "\\udcff.py" in str(caught.value)
    str(caught.value).encode()
