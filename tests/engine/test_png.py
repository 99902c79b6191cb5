"""Pictures as PNG: rendered with our own typeface, in the light and the dark theme."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from dsl.draw import svg
from dsl.ir_json import from_json
from engine.png import png

PICTURES = Path(__file__).parents[1] / "golden" / "pictures"


def picture() -> str:
    return svg(from_json(json.loads((PICTURES / "win_back.json").read_text())), counts={"call": 731})


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_a_picture_has_two_pixels_for_each_of_its_own() -> None:
    small, large = opened(png(picture(), 1)), opened(png(picture()))

    assert abs(large.width - 2 * small.width) <= 1
    assert abs(large.height - 2 * small.height) <= 1


@pytest.mark.parametrize(
    ("theme", "paper", "email"),
    [("light", (255, 255, 255), (0xE9, 0xF0, 0xFD)), ("dark", (0x10, 0x15, 0x1D), (0x1B, 0x2A, 0x47))],
)
def test_the_colours_are_the_theme_s(theme: str, paper: tuple[int, int, int], email: tuple[int, int, int]) -> None:
    image = opened(png(picture(), 1, theme=theme))
    colours = {colour for _, colour in image.getcolors(1 << 20) or []}

    assert image.getpixel((2, 2)) == paper
    assert email in colours


def test_a_picture_is_the_same_bytes_each_time() -> None:
    assert png(picture(), 1) == png(picture(), 1)


def test_text_is_drawn_in_our_own_typeface() -> None:
    def ink(face: str) -> int:
        words = f'<text x="5" y="30" font-size="24" font-family="{face}">offer</text>'
        image = opened(png(f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="40">{words}</svg>', 1))
        return sum(count for count, colour in image.getcolors(1 << 20) or [] if colour != (0, 0, 0))

    with_font = ink("Source Sans Pro")
    assert ink("sans-serif") == with_font, "no other typeface is there to be taken"
    assert ink("'A Face That Nobody Has', sans-serif") == with_font


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_a_scale_must_be_above_zero(scale: float) -> None:
    with pytest.raises(ValueError, match="the scale of a picture must be above 0"):
        png(picture(), scale)


def test_what_is_no_svg_is_refused() -> None:
    with pytest.raises(ValueError, match="SVG"):
        png("<svg")


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^there is no theme 'mauve'"):
        png(picture(), theme="mauve")
