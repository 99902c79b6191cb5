"""Whether the API can work: the database answers, and its schema is this version's."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.state import Here

__all__ = ["router"]

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """How we are. 503 unless everything is `ok`."""

    status: Literal["ok", "unhealthy"]
    database: Literal["ok", "unreachable"]
    schema_: str = Field(
        alias="schema", description="The database's revision: `ok`, or what it is and what it should be"
    )


@router.get("/v1/health", summary="Health", responses={503: {"model": Health, "description": "Something is wrong"}})
def health(here: Here, response: Response) -> Health:
    """For load balancers and operators; needs no key, and tells nothing but this."""
    try:
        with here.database.read() as conn:
            found = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError:
        response.status_code = 503
        return Health(status="unhealthy", database="unreachable", schema="unknown")
    if found == _newest():
        return Health(status="ok", database="ok", schema="ok")
    response.status_code = 503
    return Health(status="unhealthy", database="ok", schema=f"{found}, this version needs {_newest()}")


@cache
def _newest() -> str:
    from alembic.config import Config  # noqa: PLC0415  # half a second, once
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # as above

    config = Config()
    config.set_main_option("script_location", str(files("engine") / "migrations"))
    return ScriptDirectory.from_config(config).get_current_head() or ""
