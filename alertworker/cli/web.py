"""``alertworker web``: start the HTTP server."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from alertworker.cli.params import LOG_LEVEL

if TYPE_CHECKING:
    from alertworker.settings import Settings


@click.command()
@click.option("--host", help="Address to listen on. Default: http_host, which is 127.0.0.1.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on. Default: http_port, which is 4010.")
@LOG_LEVEL
def web(host: str | None, port: int | None, loglevel: str) -> None:
    """Start the HTTP server, which receives events and serves the pages.

    Clients post events to /v1/events with ALERTWORKER_PUBLISH_KEY as the bearer token. LiteLLM posts its own alerts
    with the same key as ?key=. The pages need ALERTWORKER_API_KEY. Several servers may run.
    """
    from alertworker.app import publish_process
    from alertworker.host.interrupt import Interrupt
    from alertworker.host.logs import name_program, set_up_logs
    from alertworker.host.ports import check_port
    from alertworker.settings import load_settings

    settings = load_settings()
    settings = settings.model_copy(
        update={"http_host": host or settings.http_host, "http_port": port or settings.http_port}
    )
    name_program("web")
    set_up_logs(settings.log_format, loglevel)
    check_port(settings.http_host, settings.http_port)
    publish_process("web", lambda: datetime.now(UTC))
    interrupt = Interrupt()
    interrupt.watch()  # uvicorn raises the signal again at its end.
    _serve(settings, loglevel)
    interrupt.raise_again()


def _serve(settings: Settings, loglevel: str) -> None:
    """Serve until a signal ends the process."""
    import uvicorn

    from alertworker.web.app import build_app, build_context
    from alertworker.web.connection import max_connections, protocol

    most, proxies = max_connections(), _proxies(settings)
    uvicorn.run(
        build_app(build_context(settings)),
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,  # uvicorn's loggers write to ours.
        log_level=loglevel.lower(),
        access_log=False,
        server_header=False,
        http=protocol(settings.trusted_proxies, most=most),
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        limit_concurrency=most + 1,  # The protocol makes room before that.
        timeout_graceful_shutdown=5,
    )


def _proxies(settings: Settings) -> list[str] | str:
    """Return whose forwarded headers count. uvicorn's own variable counts, too; without both, nobody's do."""
    return list(map(str, settings.trusted_proxies)) or os.environ.get("FORWARDED_ALLOW_IPS", "")
