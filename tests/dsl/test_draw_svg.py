"""The pictures as SVG: what is drawn is read back out of the document, and measured there.

`GOLDEN=write pytest tests/dsl/test_draw_svg.py` writes the golden pictures anew; look at them before you commit them.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dsl import Customer, days
from dsl.draw import svg
from dsl.ir import (
    CHANNELS,
    IR,
    After,
    Answer,
    Arrow,
    Entry,
    Every,
    Goal,
    Limit,
    Note,
    Otherwise,
    Reentry,
    Share,
    State,
    StateKind,
    Then,
    When,
    from_json,
    to_json,
)
from dsl.loading import load

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "tests" / "golden" / "pictures"
NAUGHTY = (
    "</title><script>alert(1)</script> & \"quoted\" 'single' ]]> \x00\x0b\uffff \u202eturned 🍷 酒 é\u0301 %s {x} #1;"
)
DAY = 86_400

Segment = tuple[float, float, float, float]


def win_back() -> IR:
    def answers() -> tuple[Arrow, ...]:
        return (Arrow(Answer("email.clicked", "send"), "call"), Arrow(After(3 * DAY), "feed"))

    return IR(
        name="win_back",
        title="WinBack",
        doc="Bring back wine lovers who have gone quiet.",
        purpose="marketing",
        entry=Entry("audience", Customer.country == "FR", Every("daily", "09:00")),
        again=Reentry("after", 180 * DAY),
        goal=Goal(Answer("shop.purchased", "customer"), 30 * DAY),
        holdout=10.0,
        states=(
            State(
                "eligible",
                "choice",
                (Arrow(When(), "offer", Customer.country == "FR"), Arrow(Otherwise(), "not_eligible")),
            ),
            State("offer", "split", (Arrow(Share(50), "discount"), Arrow(Share(50), "story"))),
            State("discount", "email", answers(), "win_back/discount"),
            State("story", "email", answers(), "win_back/story"),
            State(
                "call",
                "call",
                (
                    Arrow(Answer("call.interested", "send"), "won"),
                    Arrow(Answer("call.refused", "send"), "refused"),
                    Arrow(Answer("call.not_reached", "send"), "call", limit=Limit(3, 72_000)),
                    Arrow(Answer("call.not_reached", "send"), "sms"),
                    Arrow(After(7 * DAY), "sms"),
                ),
                "win_back/warm",
                "retention",
            ),
            State("feed", "feed", (Arrow(Then(), "sms"),), "win_back/your_bottles"),
            State(
                "sms",
                "sms",
                (Arrow(Answer("sms.clicked", "send"), "call"), Arrow(After(2 * DAY), "letter")),
                "win_back/last_chance",
            ),
            State(
                "letter",
                "letter",
                (Arrow(Answer("letter.answered", "send"), "call"), Arrow(After(14 * DAY), "lapsed")),
                "win_back/voucher",
            ),
            State("won", "goal"),
            State("refused", "final"),
            State("lapsed", "final"),
            State("not_eligible", "final"),
            State("unsubscribed", "final"),
        ),
        anywhere=(
            Arrow(Answer("shop.purchased", "customer"), "won"),
            Arrow(Answer("consent.withdrawn", "customer"), "unsubscribed"),
        ),
        notes={
            "discount": Note("Ten per cent off the bottles they know.", "journeys/win_back.py", 40),
            "call": Note("Phone while the interest is warm.", "journeys/win_back.py", 60),
        },
    )


def random_journey(seed: int) -> IR:
    """A journey made of chance: loops, retries, long names, ends that many boxes lead to."""
    chance = random.Random(seed)  # noqa: S311  # repeatable on purpose
    words = ("offer", "story", "reminder", "warm_call", "a", "survey", "the_long_name_of_a_box_that_an_author_wrote")
    answers = {
        "email": ("clicked", "opened", "replied"),
        "sms": ("clicked", "replied"),
        "feed": ("clicked", "opened"),
        "call": ("interested", "refused", "not_reached"),
        "letter": ("answered", "returned"),
    }
    kinds: tuple[StateKind, ...] = ("email", "sms", "feed", "call", "letter", "wait", "choice", "split")
    count = chance.randint(1, 11)
    names = [f"{chance.choice(words)}_{index}" for index in range(count)]
    ends = ["won", "lapsed", "refused"][: chance.randint(1, 3)]
    states: list[State] = []
    for index, name in enumerate(names):
        kind = chance.choice(kinds)
        onward = names[index + 1] if index + 1 < count else ends[0]
        others = [chance.choice(names + ends * 2) for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))]
        if kind == "split":
            arrows = [Arrow(Share(100 / (len(others) + 1)), to) for to in (onward, *others)]
        elif kind == "choice":
            lands = ("FR", "GB", "a land with a very long name, which nobody could ever write down")
            arrows = [Arrow(When(), to, Customer.country == chance.choice(lands)) for to in others]
            arrows.append(Arrow(Otherwise(), onward))
        elif kind == "wait":
            arrows = [Arrow(After(chance.choice((3_600, DAY, 93_600))), onward)]
        elif chance.random() < 0.15:
            arrows = [Arrow(Then(), onward)]
        else:
            arrows = [
                Arrow(
                    Answer(f"{kind}.{chance.choice(answers[kind])}", "send"),
                    to,
                    limit=Limit(chance.randint(1, 3), chance.choice((0, 72_000))) if chance.random() < 0.3 else None,
                )
                for to in others
            ]
            arrows.append(Arrow(After(chance.randint(1, 14) * DAY), onward))
        states.append(State(name, kind, tuple(arrows), f"t/{name}" if kind in CHANNELS else None))
    states += [State(end, "goal" if end == "won" else "final") for end in ends]
    return IR(
        f"random_{seed}",
        "marketing",
        Entry("api"),
        tuple(states),
        anywhere=(Arrow(Answer("shop.purchased", "customer"), "won"),),
    )


# --- reading a picture back ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Area:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Area, air: float = 0) -> bool:
        return (
            self.left < other.right + air
            and other.left < self.right + air
            and self.top < other.bottom + air
            and other.top < self.bottom + air
        )

    def inset(self, by: float) -> Area:
        return Area(self.left + by, self.top + by, self.right - by, self.bottom - by)


@dataclass(frozen=True)
class Picture:
    """What an SVG shows, read from its elements alone."""

    size: tuple[float, float]
    boxes: dict[str, Area]
    ends: dict[str, tuple[str, str]]
    """Of each arrow, the boxes that its line starts and ends at."""
    lines: dict[str, list[Segment]]
    labels: dict[str, Area]
    badges: dict[str, Area]


def local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def number(element: ET.Element, name: str) -> float:
    return float(element.get(name, "0"))


def area_of(shape: ET.Element) -> Area:
    if local(shape) == "rect":
        x, y = number(shape, "x"), number(shape, "y")
        return Area(x, y, x + number(shape, "width"), y + number(shape, "height"))
    if local(shape) == "circle":
        x, y, r = number(shape, "cx"), number(shape, "cy"), number(shape, "r")
        return Area(x - r, y - r, x + r, y + r)
    points = points_of(shape.get("d", ""))
    return Area(
        min(x for x, _ in points), min(y for _, y in points), max(x for x, _ in points), max(y for _, y in points)
    )


def points_of(path: str) -> list[tuple[float, float]]:
    """The corners of a path; a round corner counts as its control point."""
    return [(float(x), float(y)) for x, y in re.findall(r"[MLQ ](-?[\d.]+) (-?[\d.]+)", path)]


def text_area(text: ET.Element) -> Area:
    x, y = number(text, "x"), number(text, "y")
    return Area(x, y - 9, x + number(text, "textLength"), y + 2.5)


def around(areas: list[Area]) -> Area:
    return Area(
        min(a.left for a in areas), min(a.top for a in areas), max(a.right for a in areas), max(a.bottom for a in areas)
    )


def read(document: str) -> Picture:
    root = ET.fromstring(document)  # noqa: S314  # our own document
    boxes: dict[str, Area] = {}
    lines: dict[str, list[Segment]] = {}
    labels: dict[str, Area] = {}
    badges: dict[str, Area] = {}
    ends: dict[str, tuple[str, str]] = {}
    (drawing,) = [group for group in root.iter() if group.get("id") == "drawing"]
    for group in drawing:
        name, style = group.get("id", ""), group.get("class", "").split()
        by_class = {
            part: [e for e in group if part in e.get("class", "").split()]
            for part in ("outline", "line", "words", "badge", "head")
        }
        if "state" in style:
            boxes[name] = area_of(by_class["outline"][0])
        elif "arrow" in style:
            corners = points_of(by_class["line"][0].get("d", ""))
            tip = points_of(by_class["head"][0].get("d", ""))[0]
            lines[name] = [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in pairwise([*corners, tip])]
            if by_class["words"]:
                labels[name] = around([text_area(text) for text in by_class["words"]])
            ends[name] = (near_to(corners[0], boxes_of(drawing)), near_to(tip, boxes_of(drawing)))
        else:
            badges[name] = area_of(by_class["badge"][0])
    return Picture((number(root, "width"), number(root, "height")), boxes, ends, lines, labels, badges)


def boxes_of(drawing: ET.Element) -> dict[str, Area]:
    return {
        group.get("id", ""): area_of(next(e for e in group if e.get("class") == "outline"))
        for group in drawing
        if "state" in group.get("class", "").split()
    }


def near_to(point: tuple[float, float], boxes: dict[str, Area]) -> str:
    x, y = point
    found = [name for name, area in boxes.items() if area.meets(Area(x, y, x, y), 2.5)]
    assert found, f"a line begins or ends at {point}, where there is no box"
    return found[0]


def flaws(picture: Picture) -> Iterator[str]:  # noqa: C901, PLR0912  # one rule after the other
    """Everything that touches what it should not, and every label that is away from its line."""
    for one, other in combinations(picture.labels, 2):
        if picture.labels[one].meets(picture.labels[other], 1):
            yield f"the labels of {one} and {other} meet"
    for name, label in picture.labels.items():
        if not any(label.meets(Area(*segment), 8) for segment in picture.lines[name]):
            yield f"the label of {name} is away from its line"
        for box, area in picture.boxes.items():
            if label.meets(area, 1):
                yield f"the label of {name} meets {box}"
        for other, segments in picture.lines.items():
            if other != name and any(label.meets(Area(*segment), 1) for segment in segments):
                yield f"{other} runs through the label of {name}"
    for name, segments in picture.lines.items():
        for box, area in picture.boxes.items():
            # A line touches the boxes at its two ends, and a diamond's line starts within the frame around it.
            own = box in picture.ends[name]
            if not own and any(area.meets(Area(*segment), 1) for segment in segments):
                yield f"{name} runs through {box}"
            if own and any(middle_of(area).meets(Area(*segment)) for segment in segments):
                yield f"{name} runs through its own box {box}"
    for name, badge in picture.badges.items():
        for other, segments in picture.lines.items():
            if any(badge.meets(Area(*segment)) for segment in segments):
                yield f"{other} runs through {name}"
        for other, label in picture.labels.items():
            if badge.meets(label):
                yield f"{name} meets the label of {other}"
        own = sum(badge.meets(area) for area in picture.boxes.values())
        if own != 1:
            yield f"{name} touches {own} boxes"
    width, height = picture.size
    everything = [
        *picture.boxes.values(),
        *picture.labels.values(),
        *(Area(*s) for ss in picture.lines.values() for s in ss),
    ]
    whole = around(everything)
    if whole.left < 0 or whole.top < 0 or whole.right > width or whole.bottom > height:
        yield "something lies outside of the picture"


def middle_of(area: Area) -> Area:
    """The part of a box that its text stands in: half of its frame for a diamond, which is the least of all."""
    wide, high = (area.right - area.left) / 4, (area.bottom - area.top) / 4
    return Area(area.left + wide, area.top + high, area.right - wide, area.bottom - high)


def counted(ir: IR) -> str:
    return svg(ir, counts={state.name: 12_345 for state in ir.states}, version="v3")


# --- the tests -------------------------------------------------------------------------------------------------------


def test_the_win_back_picture_is_as_it_was() -> None:
    document = svg(win_back(), version="v1")
    ir = json.dumps(to_json(win_back()), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("GOLDEN") == "write":
        (PICTURES / "win_back.svg").write_text(document)
        (PICTURES / "win_back.json").write_text(ir)

    assert document == (PICTURES / "win_back.svg").read_text()
    assert ir == (PICTURES / "win_back.json").read_text()


def test_nothing_in_the_win_back_picture_touches() -> None:
    picture = read(counted(win_back()))

    assert list(flaws(picture)) == []
    assert len(picture.boxes) == 13, "twelve states that arrows lead to, and the entry"
    assert len(picture.lines) == 18
    assert len(picture.labels) == 16


def test_no_line_of_the_win_back_picture_crosses_another_and_its_main_way_is_straight() -> None:
    picture = read(svg(win_back()))

    for one, other in combinations(picture.lines, 2):
        for segment in picture.lines[one]:
            assert not any(Area(*segment).meets(Area(*beside), 0.01) for beside in picture.lines[other]), (one, other)
    way = ("eligible", "offer", "discount", "feed", "sms", "letter", "call", "won")
    middles = {(picture.boxes[f"state-{name}"].left + picture.boxes[f"state-{name}"].right) / 2 for name in way}
    assert max(middles) - min(middles) < 1


@pytest.mark.parametrize("block", range(8))
def test_nothing_touches_in_the_pictures_of_random_journeys(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        assert list(flaws(read(counted(random_journey(seed))))) == [], f"random_journey({seed})"


def test_the_checker_sees_what_it_should() -> None:
    picture = read(counted(win_back()))
    label = picture.labels["arrow-sms-letter"]

    def with_label(name: str, area: Area) -> list[str]:
        return list(flaws(replace(picture, labels={**picture.labels, name: area})))

    assert any("meets state-call" in flaw for flaw in with_label("arrow-sms-letter", picture.boxes["state-call"]))
    assert any("the labels of" in flaw for flaw in with_label("arrow-sms-call", label))
    assert any("runs through the label" in flaw for flaw in with_label("arrow-sms-call", label))
    assert any("away from its line" in flaw for flaw in with_label("arrow-sms-call", label))
    through = {**picture.lines, "arrow-start": [(0.0, 0.0, 2_000.0, 2_000.0)]}
    assert any("runs through state-" in flaw for flaw in flaws(replace(picture, lines=through)))
    badge = {**picture.badges, "count-sms": picture.labels["arrow-letter-lapsed"]}
    assert any("count-sms meets the label" in flaw for flaw in flaws(replace(picture, badges=badge)))


@pytest.mark.parametrize("name", ["win_back", "welcome", "reorder"])
def test_nothing_touches_in_the_pictures_of_the_shipped_journeys(name: str) -> None:
    for loaded in load(str(ROOT / "journeys" / f"{name}.py")):
        assert list(flaws(read(counted(loaded.ir)))) == []


def test_each_group_has_an_id_of_its_own_and_a_title() -> None:
    root = ET.fromstring(svg(win_back()))  # noqa: S314  # our own document
    groups = [e for e in root.iter() if local(e) == "g" and {"state", "arrow"} & set(e.get("class", "").split())]
    ids = [group.get("id") for group in groups]

    assert len(set(ids)) == len(ids)
    assert {"state-call", "arrow-call-sms", "arrow-call-call", "state-won"} <= set(ids)
    titles = {group.get("id"): group[0].text for group in groups}
    assert all(local(group[0]) == "title" for group in groups)
    assert "Phone while the interest is warm." in (titles["state-call"] or "")
    assert "journeys/win_back.py:60" in (titles["state-call"] or "")
    assert (titles["arrow-call-sms"] or "").startswith("call → sms: not reached; no answer in 7 d")


def test_arrows_are_merged_ends_drawn_once_per_source_and_anywhere_is_a_caption() -> None:
    ir = win_back()
    sms = replace(ir.by_name["sms"], arrows=(*ir.by_name["sms"].arrows, Arrow(Answer("sms.replied", "send"), "won")))
    document = svg(replace(ir, states=tuple(sms if state.name == "sms" else state for state in ir.states)))

    assert document.count('data-state="won"') == 2
    assert 'id="state-won"' in document
    assert 'id="state-won-from-sms"' in document
    assert "state-unsubscribed" not in document, "only an arrow from anywhere leads there"
    said = " ".join("".join(ET.fromstring(document).itertext()).split())  # noqa: S314  # our own document
    for caption in ("purchased → won", "consent withdrawn → unsubscribed", "country is FR · daily at 09:00"):
        assert caption in said
    for words in ("no answer in 3 d", "50 %", "otherwise", "not reached (up to 3×, every 20 h)"):
        assert words in said


def test_only_time_is_dashed() -> None:
    document = svg(win_back())

    def dashed(arrow: str) -> bool:
        found = re.search(rf'<g id="{arrow}".*?<path class="line( dashed)?"', document, re.DOTALL)
        assert found is not None
        return found[1] is not None

    assert dashed("arrow-discount-feed")
    assert not dashed("arrow-discount-call")
    assert not dashed("arrow-call-sms"), "an answer is among the arrows merged in it"


def test_counts_stand_at_their_boxes_and_change_nothing_else() -> None:
    bare = svg(win_back()).splitlines()
    live = svg(win_back(), counts={"call": 731, "unsubscribed": 12, "nowhere": 5, "feed": 0}).splitlines()

    added = [line for line in live if line not in bare]
    assert [line for line in bare if line not in live] == []
    assert len(added) == 3, "a state that the journey doesn't know is left out"
    assert sum("count-call" in line and ">731<" in line for line in added) == 1
    assert sum("count-unsubscribed" in line for line in added) == 1


def test_one_customers_way_is_lit_and_the_rest_fades() -> None:
    ir = win_back()
    root = ET.fromstring(svg(ir, path=["eligible", "offer", "story", "call", "call", "won"]))  # noqa: S314

    lit = {e.get("id") for e in root.iter() if "on" in e.get("class", "").split()}
    faded = {e.get("id") for e in root.iter() if "off" in e.get("class", "").split()}
    assert {"arrow-start", "state-story", "arrow-story-call", "arrow-call-call", "arrow-call-won", "state-won"} <= lit
    assert {"state-discount", "arrow-discount-call", "arrow-sms-call", "state-lapsed"} <= faded
    assert {"caption-3", "caption-4"} <= faded, "she bought nothing: the call was how she won"
    bought = ET.fromstring(svg(ir, path=["eligible", "offer", "story", "won"]))  # noqa: S314
    assert {"caption-3", "state-won"} <= {e.get("id") for e in bought.iter() if "on" in e.get("class", "").split()}


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_a_theme_is_in_the_document(theme: str) -> None:
    document = svg(win_back(), theme=theme)

    assert ("var(--" in document) == (theme == "auto")
    assert ("prefers-color-scheme:dark" in document) == (theme == "auto")
    if theme == "dark":
        assert ".parcours .paper{fill:#10151d}" in document


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(ValueError, match="no theme 'mauve'; the themes are light and dark"):
        svg(win_back(), theme="mauve")


def test_any_text_makes_a_well_formed_document() -> None:
    ir = win_back()
    states = tuple(
        replace(state, template=NAUGHTY * 3 if state.template else None, queue=NAUGHTY if state.queue else None)
        for state in ir.states
    )
    naughty = replace(
        ir,
        states=states,
        title=NAUGHTY,
        doc=(NAUGHTY + "\ud800") * 20,
        entry=Entry("audience", Customer.city == "<b>&]]>\x01 — " * 40, Every("weekly", "07:30", 4)),
        notes={state.name: Note(NAUGHTY * 9, NAUGHTY, 3) for state in states},
    )
    document = svg(naughty, version=NAUGHTY, counts={"call": 10**12})

    assert list(flaws(read(document))) == []
    assert "<script" not in document
    assert "\u202e" not in document
    assert "🍷" in document
    document.encode("utf-8")


def test_a_long_name_is_shortened_and_whole_in_its_title() -> None:
    name = "a_name_that_goes_on_and_on_and_says_all_that_there_is_to_say_about_this_box"
    ir = IR("long", "marketing", Entry("api"), (State(name, "wait", (Arrow(After(60), "end"),)), State("end", "final")))
    root = ET.fromstring(svg(ir))  # noqa: S314

    (box,) = [e for e in root.iter() if e.get("id") == f"state-{name}"]
    (shown,) = [e.text for e in box if e.get("class") == "name"]
    assert shown is not None
    assert shown.endswith("…")
    assert (box[0].text or "").startswith(name.replace("_", " "))


def test_odd_journeys_can_be_drawn() -> None:
    only_an_end = IR("odd", "marketing", Entry("api"), (State("done", "final"),))
    entered_from_anywhere = replace(
        win_back(),
        states=(*win_back().states, State("thanks", "wait", (Arrow(After(DAY), "won"),)), State("island", "wait")),
        anywhere=(Arrow(Answer("shop.thanked", "customer"), "thanks"),),
    )
    start = IR(
        "start", "marketing", Entry("api"), (State("start", "wait", (Arrow(After(60), "end"),)), State("end", "final"))
    )

    for ir in (only_an_end, entered_from_anywhere, start):
        assert list(flaws(read(counted(ir)))) == []
    assert 'id="anywhere-thanks"' in svg(entered_from_anywhere)


def test_the_picture_of_a_read_back_ir_is_the_same() -> None:
    assert svg(from_json(json.loads((PICTURES / "win_back.json").read_text()))) == svg(win_back())


def test_the_picture_is_the_same_bytes_in_each_process() -> None:
    script = (
        "import json, sys; from dsl.draw import svg, mermaid, text; from dsl.ir import from_json; "
        "ir = from_json(json.load(open(sys.argv[1]))); sys.stdout.buffer.write((svg(ir) + mermaid(ir) + text(ir)).encode())"
    )
    command = [sys.executable, "-c", script, str(PICTURES / "win_back.json")]
    seen = {
        subprocess.run(  # our own interpreter
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_the_layout_engine_is_loaded_only_to_draw() -> None:
    script = "import dsl.draw, sys; assert 'graphlay' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_days_are_said_in_days() -> None:
    ir = win_back()
    waits = replace(
        ir, states=(State("rest", "wait", (Arrow(After(days(3).seconds), "won"),)), State("won", "goal")), anywhere=()
    )
    assert ">after 3 d<" in svg(waits)
