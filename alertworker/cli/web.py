"""``alertworker web``: start the HTTP server."""

from __future__ import annotations

import click

from alertworker.cli.params import LOG_LEVEL


@click.command()
@click.option("--host", help="Address to listen on. Default: http_host, which is 127.0.0.1.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on. Default: http_port, which is 4010.")
@LOG_LEVEL
def web(host: str | None, port: int | None, loglevel: str) -> None:
    """Start the HTTP server, which receives events and serves the pages.

    Clients post events to /v1/events with ALERTWORKER_PUBLISH_KEY as the bearer token. LiteLLM posts its own alerts
    with the same key as ?key=. The pages need ALERTWORKER_API_KEY. Several servers may run.
    """
    import uvicorn

    from alertworker.host.logs import name_program, set_up_logs
    from alertworker.host.ports import check_port
    from alertworker.settings import load_settings
    from alertworker.web.app import build_app, build_context
    from alertworker.web.connection import TimedProtocol

    settings = load_settings()
    name_program("web")
    set_up_logs(settings.log_format, loglevel)
    host, port = host or settings.http_host, port or settings.http_port
    check_port(host, port)
    uvicorn.run(
        build_app(build_context(settings)),
        host=host,
        port=port,
        log_config=None,  # uvicorn's loggers write to ours.
        log_level=loglevel.lower(),
        access_log=False,
        server_header=False,
        http=TimedProtocol,
        limit_concurrency=1_000,
        timeout_graceful_shutdown=5,
    )
