"""Feeds, personal and of segments: the document behind a secret address. Private, in no index, and asked for again only if it changed."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Response

from api.errors import ApiError, ErrorBody
from api.state import Here
from engine.errors import NotFound
from engine.feeds import personal as feeds
from engine.feeds import segments as segment_feeds
from engine.feeds.document import Kind
from engine.links import ForgedLink

__all__ = ["router"]

router = APIRouter(tags=["feeds"])


@router.head("/f/{token}.{kind}", include_in_schema=False)
@router.get(
    "/f/{token}.{kind}",
    response_class=Response,
    summary="A feed",
    responses={304: {"description": "Not changed since"}, 410: {"model": ErrorBody, "description": "Revoked"}},
)
def feed(
    here: Here,
    token: str,
    kind: Literal["xml", "atom"],
    if_none_match: Annotated[str | None, Header()] = None,
    if_modified_since: Annotated[str | None, Header()] = None,
) -> Response:
    """RSS 2.0 (`.xml`) or Atom (`.atom`), with a strong ETag. 410 after it was revoked."""
    try:
        token = here.links.read_feed(token)
    except ForgedLink as error:
        raise ApiError(404, "feed_not_found", str(error)) from None
    form: Kind = "rss" if kind == "xml" else "atom"
    with here.database.read() as conn:
        try:
            page = feeds.document(conn, here.links, token, here.templates.brand, form, here.settings.language)
        except NotFound:
            page = segment_feeds.document(conn, here.links, token, here.templates.brand, form)
    try:
        since = parsedate_to_datetime(if_modified_since) if if_modified_since is not None else None
    except ValueError:
        since = None
    headers = page.headers(here.settings.clock.now())
    if page.unchanged(if_none_match, since if since is not None and since.tzinfo is not None else None):
        return Response(status_code=304, headers=headers)
    return Response(page.body, media_type=page.media_type, headers=headers)
