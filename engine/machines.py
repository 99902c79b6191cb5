"""Who looks at a mail: a person, a mail provider's proxy on her behalf, or a machine of its own accord (behaviour R12).

By what it calls itself. A proxy that fetches a picture when she opens the mail hides who looks, so an open through it is one
with little confidence. Machines that fetch everything as mail arrives say nothing of her: what they do is no answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Looker", "looker"]

_PROXIES = {
    "GoogleImageProxy": "Gmail's image proxy",
    "ggpht.com": "Gmail's image proxy",
    "YahooMailProxy": "Yahoo's image proxy",
    "YahooCacheSystem": "Yahoo's image proxy",
    "DuckDuckGo": "DuckDuckGo's e-mail protection",
}
_APPLE = re.compile(r"Mozilla/5\.0\s*")
_SCANNERS = re.compile(
    r"barracuda|proofpoint|mimecast|safelinks|symantec|messagelabs|fireeye|trellix|trend ?micro|ironport|cisco|zscaler|sophos|"
    r"bitdefender|kaspersky|forcepoint|cloudmark|vade ?secure|avanan|checkpoint|fortinet|hornetsecurity|virustotal|urlscan|"
    r"google-?safety|safebrowsing|office existence discovery",
    re.IGNORECASE,
)
_PROGRAMS = re.compile(
    r"bot\b|crawl|spider|preview|\bscan|facebookexternalhit|whatsapp/|slack-imgproxy|headless|phantomjs|puppeteer|selenium|"
    r"curl/|wget/|python-requests|python-urllib|aiohttp|go-http-client|java/|apache-httpclient|libwww-perl|okhttp|axios/|node-fetch",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Looker:
    """`by` names what it is, unless it is a person."""

    kind: Literal["person", "proxy", "machine"]
    by: str = ""


def looker(agent: str) -> Looker:
    """Who calls itself so (an HTTP User-Agent)."""
    for name, by in _PROXIES.items():
        if name in agent:
            return Looker("proxy", by)
    if _APPLE.fullmatch(agent):  # this alone is what its proxies call themselves
        return Looker("machine", "Apple Mail Privacy Protection")
    if not agent.strip():
        return Looker("machine", "a program without a name")
    if _SCANNERS.search(agent):
        return Looker("machine", "a link scanner")
    return Looker("machine", "a program") if _PROGRAMS.search(agent) else Looker("person")
