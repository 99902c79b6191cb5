"""`parcours api`: the API as a process of its own."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["api"]


def api(
    host: Annotated[str | None, typer.Option(help="Default: PARCOURS_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: PARCOURS_PORT.")] = None,
) -> None:
    """Run the API. As many as you like run side by side on one PostgreSQL."""
    import uvicorn

    from api.app import create_app
    from api.commands.opening import open_database

    settings, database = open_database()
    app = create_app(settings, database)
    try:
        uvicorn.run(
            app,
            host=host or settings.host,
            port=settings.port if port is None else port,
            server_header=False,
            timeout_graceful_shutdown=5,  # streams have no end of their own
        )
    finally:
        database.close()
