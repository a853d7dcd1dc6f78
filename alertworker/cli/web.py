"""``alertworker web``: the HTTP side."""

from __future__ import annotations

import click


@click.command()
@click.option("--host", help="Where to listen; 127.0.0.1 unless ALERTWORKER_HTTP_HOST or the file says otherwise.")
@click.option("--port", type=click.IntRange(1, 65_535), help="On which port; 4010 unless ALERTWORKER_HTTP_PORT says.")
@click.option("--loglevel", default="INFO", show_default=True)
def web(host: str | None, port: int | None, loglevel: str) -> None:
    """Take events over HTTP (POST /v1/events with ALERTWORKER_PUBLISH_KEY as bearer key) and show the pages.

    LiteLLM's own alerts are taken with the same key, as ?key=. The pages are for whoever has ALERTWORKER_API_KEY.
    Several may run.
    """
    import uvicorn

    from alertworker.host.logs import set_up_logs
    from alertworker.settings import load_settings
    from alertworker.web.app import build_app, build_context

    settings = load_settings()
    set_up_logs(settings.log_format, loglevel)
    uvicorn.run(
        build_app(build_context(settings)),
        host=host or settings.http_host,
        port=port or settings.http_port,
        log_config=None,  # its loggers write to ours
        log_level=loglevel.lower(),
        access_log=False,
        server_header=False,
        limit_concurrency=1_000,
        timeout_graceful_shutdown=5,
    )
