"""A mail's bytes, read as mail programs read them: structure, headers by their RFCs, and nothing that anybody could smuggle in."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from html import unescape
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kit.naughty import NAUGHTY

from engine.links import Links
from engine.outgoing import CarriedFile, Content, Outgoing
from engine.settings import Settings
from engine.templating.checking import SAMPLE
from engine.templating.templates import Templates
from workers.channels import EmailChannel
from workers.channels.mime import Sender, mail_bytes

SENDER = Sender.of(Settings(mail_from="Marchand & Söhne <hello@shop.example>"))
LINKS = Links("https://journeys.example", b"a key")
BLNS = Path(__file__).parents[3].parent / "shared" / "data" / "naughty" / "blns.json"
PICTURE = CarriedFile("logo.png", "image/png", "h1", "abc@parcours", bytes(range(256)) * 3)
TERMS = CarriedFile("terms.pdf", "application/pdf", "h2", "", b"%PDF terms")

SENT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def outgoing(title: str = "Hello", text: str = "Hello", html: str = "<p>Hello</p>", **changes: Any) -> Outgoing:
    content = Content(title=title, text=text, html=html, files=changes.pop("files", ()))
    made = Outgoing(
        key="7-1-0", channel="email", enrolment_id=7, journey="win_back", state="discount", purpose="marketing",
        recipient=SAMPLE, address="ann@example.com", content=content, at=changes.pop("at", SENT),
    )  # fmt: skip
    return replace(made, **changes)


def parsed(message: Outgoing, *, test: bool = False) -> EmailMessage:
    raw = mail_bytes(message, SENDER, LINKS, test=test)
    assert re.search(rb"[^\r]\n|\r[^\n]", raw) is None, "a bare CR or LF: servers disagree about where lines end"
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()
    got = message_from_bytes(raw, policy=policy.default)
    assert isinstance(got, EmailMessage)
    defects = [defect for part in got.walk() for defect in cast("list[Any]", part.defects)]
    assert defects == []
    return got


def shape(part: MIMEPart) -> Any:
    kind = part.get_content_type()
    return (kind, *map(shape, part.iter_parts())) if part.is_multipart() else kind


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ((), ("multipart/alternative", "text/plain", "text/html")),
        ((PICTURE,), ("multipart/related", ("multipart/alternative", "text/plain", "text/html"), "image/png")),
        ((TERMS,), ("multipart/mixed", ("multipart/alternative", "text/plain", "text/html"), "application/pdf")),
        (
            (TERMS, PICTURE),
            (
                "multipart/mixed",
                ("multipart/related", ("multipart/alternative", "text/plain", "text/html"), "image/png"),
                "application/pdf",
            ),
        ),
    ],
    ids=["nothing", "picture", "attachment", "both"],
)
def test_parts_nest_only_as_deep_as_there_is_something(files: tuple[CarriedFile, ...], wanted: Any) -> None:
    got = parsed(outgoing(files=files))
    assert shape(got) == wanted
    body = got.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Hello"
    for part in got.walk():
        if part.get_content_type() == "image/png":
            assert part["Content-ID"] == "<abc@parcours>"
            assert part.get_content_disposition() == "inline"
            assert part.get_payload(decode=True) == PICTURE.data
        if part.get_content_type() == "application/pdf":
            assert part.get_content_disposition() == "attachment"
            assert part.get_filename() == "terms.pdf"
            assert part.get_payload(decode=True) == TERMS.data
    related = [part for part in got.walk() if part.get_content_type() == "multipart/related"]
    assert all(part.get_param("type") == "multipart/alternative" for part in related)


@pytest.mark.parametrize("name", ["Allgemeine Geschäftsbedingungen.pdf", 'a"b.pdf', "a;b\\.pdf", "条款.pdf", "x" * 200])
def test_a_files_name_arrives(name: str) -> None:
    got = parsed(outgoing(files=(replace(TERMS, name=name),)))
    (part,) = [part for part in got.walk() if part.get_content_disposition() == "attachment"]
    assert part.get_filename() == name


def test_marketing_has_what_the_rfcs_ask_for() -> None:
    got = parsed(outgoing())
    assert got["Message-ID"] == "<7-1-0@shop.example>", "the send's key"
    # RFC 2369, 3.2: a comma-separated list of <>; RFC 8058, 3.1: one https, and the other header with this very value
    urls = re.findall(r"<([^<>\s]+)>", got["List-Unsubscribe"])
    assert [url.partition(":")[0] for url in urls] == ["https", "mailto"]
    assert re.fullmatch(r"<[^<>\s]+>(, <[^<>\s]+>)*", " ".join(got["List-Unsubscribe"].split()))
    assert LINKS.read_unsubscribe(urls[0].rpartition("/")[2]) == "7-1-0", "opaque, and hers"
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # RFC 2919, 3: a dot-atom and a domain of ours, 255 letters at most
    identity = got["List-Id"]
    assert re.fullmatch(r"<[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.shop\.example>", identity)
    # Google's Feedback-ID: at most four fields, the last the sender's
    assert got["Feedback-ID"].split(":") == ["discount", "win_back", "marketing", "shop.example"]
    assert {name: len(got.get_all(name, [])) for name in got} == dict.fromkeys(got, 1), "each header once"


@pytest.mark.parametrize("journey", ["a.b", "..", "a..b.", "-", "a b", "x" * 300, "日本"])
def test_a_list_id_is_one_whatever_the_journey_is_called(journey: str) -> None:
    identity = parsed(outgoing(journey=journey))["List-Id"]
    assert re.fullmatch(r"<[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.shop\.example>", identity)
    assert len(identity) <= 255


def test_a_test_says_so_and_has_the_headers_of_its_list() -> None:
    """Else nobody could try out what Gmail makes of them, or whether the server signs them."""
    real, got = parsed(outgoing()), parsed(outgoing(), test=True)
    assert got["X-Parcours-Test"] == "win_back.discount"
    assert got["Auto-Submitted"] == "auto-generated"
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Feedback-ID"):
        assert got[name] == real[name] is not None
    assert not [name for name in parsed(outgoing(purpose="transactional"), test=True) if name.startswith("List-")]


def _naughty() -> list[str]:
    return [*NAUGHTY, *(json.loads(BLNS.read_text("utf-8")) if BLNS.is_file() else ())]


def _is_safe(text: str, got: EmailMessage, plain: EmailMessage) -> None:
    assert list(got.keys()) == list(plain.keys()), f"a header was smuggled in by {text!r}"
    assert [address.addr_spec for address in got["To"].addresses] == ["ann@example.com"]
    assert [address.addr_spec for address in got["From"].addresses] == ["hello@shop.example"]
    assert shape(got) == shape(plain)


def test_naughty_strings_smuggle_nothing_in() -> None:
    """As names, subjects, texts, journeys and boxes; ours, and the big list where it is there."""
    plain = parsed(outgoing())
    for text in _naughty():
        her = replace(SAMPLE, first_name=text, last_name=text)
        got = parsed(outgoing(title=text, text=text, html=f"<p>{text}</p>", recipient=her, journey=text, state=text))
        _is_safe(text, got, plain)


@pytest.mark.skipif(not BLNS.is_file(), reason="the big list of naughty strings is not on this machine")
def test_the_big_list_is_there() -> None:
    assert len(_naughty()) > 600


@given(st.text())
@example("\r\n.\r\nMAIL FROM:<x@evil.example>")
@example("\n.\n")
@example("\r.\r")
@example("a\r\n\r\n--=_")
@example("\u2028\u0085")
def test_whatever_is_said_arrives_and_ends_no_mail(text: str) -> None:
    got = parsed(outgoing(title=text, text=text, html=f"<style>a{{}}</style><p>{text}</p>"))
    _is_safe(text, got, parsed(outgoing()))
    said = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    plain, page = got.get_body(("plain",)), got.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert _content(plain) == said
    if "&" not in said:
        assert unescape(_content(page)) == f"<style>a{{}}</style><p>{said}</p>" or "\x00" in said


def _content(part: MIMEPart) -> str:
    raw = part.get_payload(decode=True)
    assert isinstance(raw, bytes)
    return raw.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    "html", ["<p>" + "x" * 2_000 + "</p>", "<style>p::before { content: '→' }</style>", "a\x00b", "a\tb"]
)
def test_what_servers_would_not_pass_on_as_it_is_is_encoded(html: str) -> None:
    page = parsed(outgoing(html=html)).get_body(("html",))
    assert page is not None
    assert page["Content-Transfer-Encoding"] == ("7bit" if html == "a\tb" else "quoted-printable")
    assert _content(page) == html


@pytest.mark.parametrize("address", _naughty()[:400])
def test_S3_a_naughty_address_is_none_or_harmless(address: str) -> None:
    mail = EmailChannel(Settings(), Templates(Path()), LINKS)
    found = mail.address(replace(SAMPLE, email=address))
    assert found is None or re.fullmatch(r"[\x21-\x7e]+@[\x21-\x7e]+", found)
    assert found is None or not set(found) & set('<>\r\n "')


def test_the_senders_address_is_checked() -> None:
    for wrong in ("", "nobody", "Shop <shop>", "Shop <@shop.example>", "é@shop.example"):
        with pytest.raises(ValueError, match="PARCOURS_MAIL_FROM"):
            Sender.of(Settings(mail_from=wrong))
