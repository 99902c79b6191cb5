"""`parcours worker`, `parcours local`, `parcours receiver` and `parcours up`: the processes that run, and all at once."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import Annotated

import typer

from engine.settings import Settings

__all__ = ["local", "receiver", "up", "worker"]

Work = Callable[[Settings, asyncio.Event], Coroutine[None, None, None]]


def worker() -> None:
    """Run a worker: it performs sends, dispatches events and brings customers in. As many as you like run side by side."""
    from workers.worker import run_worker

    _log()
    asyncio.run(_until_told(run_worker))


def local() -> None:
    """Run the local stand-ins of providers: the mail sink (SMTP), the SMS gateway and, where it is one, the letters' (HTTP)."""
    _log()
    asyncio.run(_until_told(_local))


def receiver() -> None:
    """Run the receiver: a mail server for what comes back, bounces, complaints and replies (PARCOURS_MAIL_IN_…)."""
    _log()
    asyncio.run(_until_told(_receiver))


def up(
    temporal_ui: Annotated[int, typer.Option(help="Port of Temporal's own pages; 0: none.")] = 8233,
) -> None:
    """Start everything on this machine, and stay: Temporal, worker, API, mail sink and receiver, SMS gateway. Ctrl-C ends it all."""
    from rich.console import Console

    console = Console()
    _log()
    settings = Settings()

    async def run(settings: Settings, stop: asyncio.Event) -> None:
        from api.stack import Stack

        with console.status("starting Temporal, worker and API …"):
            stack = Stack(settings, say=console.print, ui_port=temporal_ui or None, receives=settings.mail_in_port != 0)
            await stack.start()
        try:
            console.print(f"[bold]Parcours is up.[/] API and its documentation: {stack.api_url}/docs")
            console.print(f"Mail that it sends: {stack.api_url}/sink    data: {settings.data.resolve()}")
            if settings.mail_in_port:
                console.print(f"Mail that comes back: SMTP on {settings.mail_in_host}:{settings.mail_in_port}")
            if temporal_ui:
                console.print(f"Temporal's pages: http://127.0.0.1:{temporal_ui}")
            console.print(
                f"Next: parcours publish {settings.journeys} && parcours on JOURNEY    (Ctrl-C stops everything)"
            )
            await stack.stay(stop)
            console.print("stopping: batches under way are finished first …")
        finally:
            await stack.stop()

    asyncio.run(_until_told(run, settings))


def _log() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


async def _until_told(work: Work, settings: Settings | None = None) -> None:
    """Do `work` until a signal (Ctrl-C, SIGTERM, a closed terminal) asks for the end: it is told, and finishes in order."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    await work(settings or Settings(), stop)


async def _local(settings: Settings, stop: asyncio.Event) -> None:
    import uvicorn
    from starlette.applications import Starlette

    from api.stand_ins import stand_ins
    from workers.local.gateway import gateway
    from workers.local.post_office import post_office
    from workers.local.sink import Sink

    def serve(app: Starlette, port: int) -> uvicorn.Server:
        return uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))

    ports = stand_ins(settings)
    servers: list[uvicorn.Server] = []
    if (port := ports.get("sms_url")) is not None:
        texts = gateway(settings.data / "sms.jsonl", settings.sms_account, settings.sms_token.get_secret_value())
        servers.append(serve(texts, port))
    if (port := ports.get("letter_provider")) is not None:
        servers.append(serve(post_office(settings.data / "post", settings.letter_token.get_secret_value()), port))
    port = ports.get("smtp_port")
    with Sink(settings.data / "sink", port=port) if port is not None else nullcontext():
        serving = [asyncio.create_task(server.serve()) for server in servers]  # they take the signals, and end by them
        told = asyncio.create_task(stop.wait())
        await asyncio.wait({*serving, told}, return_when=asyncio.FIRST_COMPLETED)
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*serving)
        told.cancel()


async def _receiver(settings: Settings, stop: asyncio.Event) -> None:
    from engine.db import Database
    from workers.receiver import Receiver

    database = Database(settings.database_url)
    await asyncio.to_thread(database.migrate)
    with Receiver(settings, database):
        await stop.wait()
    database.close()
