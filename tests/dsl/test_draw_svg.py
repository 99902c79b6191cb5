"""The pictures as SVG: what is drawn is read back out of the document, and measured there.

`GOLDEN=write pytest tests/dsl/test_draw_svg.py` writes the golden pictures anew; look at them before you commit them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from kit.charts import DAY, random_journey, win_back
from kit.pictures import Area, flaws, local, read

from dsl import Customer, days
from dsl.draw import svg
from dsl.draw.counts import Count
from dsl.draw.geometry import Rect, squared
from dsl.draw.placed import BADGE
from dsl.draw.plan import Figure, Marks, graph_of
from dsl.draw.shapes import count_badge, head
from dsl.draw.svg import picture
from dsl.ir import IR, After, Answer, Arrow, Entry, Every, Note, State
from dsl.ir_json import from_json, to_json
from dsl.loading import load

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "tests" / "golden" / "pictures"
NAUGHTY = (
    "</title><script>alert(1)</script> & \"quoted\" 'single' ]]> \x00\x0b\uffff \u202eturned 🍷 酒 é\u0301 %s {x} #1;"
)


def counted(ir: IR) -> str:
    return svg(ir, counts={state.name: 12_345 for state in ir.states}, version="v3")


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


def test_nothing_touches_in_the_pictures_of_the_shipped_journeys() -> None:
    shipped = load(ROOT / "journeys")
    assert len(shipped) >= 3
    for loaded in shipped:
        assert list(flaws(read(counted(loaded.ir)))) == [], loaded.ir.name


def test_the_checker_sees_lines_that_slant_and_heads_that_are_none() -> None:
    picture = read(svg(win_back()))
    name = "arrow-start"
    (x, y), *_, (end_x, end_y) = picture.strokes[name]
    tip, left, right = picture.tips[name]

    def seen(strokes: list[tuple[float, float]], tips: list[tuple[float, float]]) -> list[str]:
        spoiled = replace(picture, strokes={name: strokes}, tips={name: tips})
        return [flaw.removeprefix(name).removeprefix("the head of ") for flaw in flaws(spoiled)]

    straight = [(x, y), (end_x, end_y)]
    assert seen(straight, [tip, left, right]) == []
    assert seen([(x + 0.1, y), (end_x, end_y)], [tip, left, right]) == [" runs aslant"]
    assert "arrow-start is crooked" in seen(straight, [tip, (left[0], left[1] + 1), right])
    assert "arrow-start is crooked" in seen(straight, [tip, left, (right[0] - 3, right[1])])
    assert "arrow-start is flat" in seen(straight, [(tip[0], left[1] + 1), left, right])
    assert "arrow-start is away from its line" in seen([(x, y), (end_x, end_y - 20)], [tip, left, right])
    assert " has no room for its head" in seen([(x, tip[1] + 5), (end_x, end_y)], [tip, left, right])


@pytest.mark.parametrize(
    ("line", "squared_up"),
    [
        ([(0, 0), (0, 9), (9, 9)], [(0, 0), (0, 9), (9, 9)]),
        ([(10, 0), (10.2, 50)], [(10.1, 0), (10.1, 50)]),
        ([(10, 0), (10, 20), (11, 20), (11, 60), (50, 60)], [(10, 0), (10, 60), (50, 60)]),
        ([(0, 0), (0, 20), (80, 22), (80, 50), (81, 50), (81, 60), (0, 60)], [(0, 0), (0, 21), (80, 21), (80, 60), (0, 60)]),
        ([(0, 0), (40, 0), (40, 30), (41, 30), (41, 33)], [(0, 0), (41, 0), (41, 33)]),
        ([(5, 5), (5, 5.4)], [(5, 5), (5, 5.4)]),
    ],
)  # fmt: skip
def test_a_line_is_made_upright_and_level(
    line: list[tuple[float, float]], squared_up: list[tuple[float, float]]
) -> None:
    assert squared(line) == squared_up


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
        "import json, sys; from dsl.draw import svg, mermaid, text; from dsl.ir_json import from_json; "
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


def lines_of(drawn: str) -> dict[str, str]:
    """The lines of a picture that are a count, by its name."""
    return {found[1]: line for line in drawn.splitlines() if (found := re.search(r'<g id="count-([^"]+)"', line))}


def shipped(name: str) -> IR:
    return next(each.ir for each in load(ROOT / "journeys") if each.ir.name == name)


def test_without_the_counts_of_arrows_an_end_that_is_drawn_more_than_once_says_once_how_many_in_all() -> None:
    counts = lines_of(svg(shipped("win_back"), counts={"lapsed": 1_791, "won": 1_245}))
    assert counts.keys() == {"lapsed", "won"}
    assert "Σ 1,791" in counts["lapsed"]
    assert "1,791 in all" in counts["lapsed"]
    assert ">1,245<" in counts["won"]


def test_with_the_counts_of_arrows_each_box_of_an_end_shows_who_came_there() -> None:
    ir = shipped("win_back")
    to_lapsed = [number for number, arrow in enumerate(ir.arrows) if arrow.to == "lapsed"]
    to_won = [number for number, arrow in enumerate(ir.arrows) if arrow.to == "won"]
    taken = dict(zip([*to_lapsed, *to_won], (4, 15, 1_772, 45, 1_200), strict=True))
    drawn = svg(ir, counts={"lapsed": 1_791, "won": 1_245}, taken=taken)
    assert list(flaws(read(drawn))) == []
    counts = lines_of(drawn)
    assert {name: line.rpartition("</text>")[0].rpartition(">")[2] for name, line in counts.items()} == {
        "lapsed": "4",
        "lapsed-from-sms": "15",
        "lapsed-from-letter": "1,772",
        "won": "1,245",
        "caption-3": "1,200",
    }
    assert "1,772 came here this way, of 1,791 in all" in counts["lapsed-from-letter"]
    assert "1,200 came from anywhere this way, of 1,245 in all" in counts["caption-3"]


def test_two_arrows_from_anywhere_to_what_stands_nowhere_else_show_who_took_each() -> None:
    ir = shipped("win_back")
    again = replace(
        ir,
        anywhere=(
            *ir.anywhere,
            Arrow(Answer("shop.moved", "customer"), "gone"),
            Arrow(Answer("shop.closed", "customer"), "gone"),
        ),
    )
    again = replace(again, states=(*ir.states, State("gone", "final")))
    moved = len(ir.arrows)
    alike = lines_of(svg(again, counts={"gone": 9}))
    assert alike.keys() == {"gone"}
    assert ">9<" in alike["gone"]
    each = lines_of(svg(again, counts={"gone": 9}, taken={moved: 7, moved + 1: 2}))
    assert [">7<" in each["gone"], ">2<" in each["caption-6"], len(each)] == [True, True, 2]


@pytest.mark.parametrize("count", [0, 791, 9_999, 10_000, 888_888, 999_999, 1_000_000, 888_000_000, 987_654_321])
@pytest.mark.parametrize("whole", [True, False])
def test_a_count_keeps_to_its_room(count: int, whole: bool) -> None:
    badge = count_badge("done", Count(count, whole=whole), Rect(0, 0, *BADGE))
    assert float(re.findall(r'width="([\d.]+)"', badge)[0]) <= BADGE[0]


def test_a_line_a_hair_off_the_axis_has_its_head() -> None:
    corners = [
        tuple(map(float, point.split())) for point in re.findall(r"[ML]([\d.-]+ [\d.-]+)", head(((10.1, 0), (10, 50))))
    ]
    assert max(x for x, _ in corners) - min(x for x, _ in corners) >= 8


def test_numbers_of_a_flow_stand_at_its_arrows_and_in_the_titles() -> None:
    ir = win_back()
    figures = {
        (state.name, place): Figure(f"{place},7", "7, all", 0.5)
        for state in ir.states
        for place in range(len(state.arrows))
    }
    marks = Marks(figures=figures, start=Figure("1,234", "1,234, all", 1.0))
    said = picture(graph_of(ir, marks), "flow")
    assert ">1,234</text>" in said  # at the way in, beside no other words
    assert said.count(">0,7</text>") >= sum(bool(state.arrows) for state in ir.states)
    assert "1,234, all" in said
