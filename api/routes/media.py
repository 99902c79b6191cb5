"""Pictures of text messages, for the provider that sends them as MMS, and for who follows the link. The address is signed."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from api.errors import ApiError
from api.state import Here
from engine.links import ForgedLink
from engine.templating.files import PICTURES

__all__ = ["router"]

router = APIRouter(tags=["links"])


@router.head("/m/{signature}/{name:path}", include_in_schema=False)
@router.get("/m/{signature}/{name:path}", response_class=Response, summary="A text message's picture")
def picture(here: Here, signature: str, name: str) -> Response:
    """A picture beside the templates, at the address that a message of ours has; no other file is shown."""
    try:
        here.links.read_media(signature, name)
    except ForgedLink as error:
        raise ApiError(404, "picture_not_found", str(error)) from None
    folder = here.templates.folder.resolve()
    file = (folder / name).resolve()
    kind = PICTURES.get(file.suffix.lower())
    if kind is None or not file.is_relative_to(folder) or not file.is_file():
        raise ApiError(404, "picture_not_found", "this picture is no longer here")
    return FileResponse(
        file, media_type=kind, headers={"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}
    )
