"""``alertworker run`` and ``demo``: start all processes under one supervisor."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from alertworker.embedded import generated_keys, valkey
from alertworker.embedded.supervisor import Supervisor, lock
from alertworker.errors import INTERRUPTED, AlertWorkerError
from alertworker.host.logs import name_program, set_up_logs
from alertworker.host.open_files import raise_file_limit
from alertworker.host.paths import (
    admin_key_path,
    check_temporary_folder,
    data_dir,
    default_broker_url,
    default_database_url,
    publish_key_path,
)
from alertworker.host.ports import check_port

if TYPE_CHECKING:
    from alertworker.settings import Settings

_ALERTWORKER = [sys.executable, "-m", "alertworker"]
#: Shorter times, so that a demo shows alerts and summaries within a minute, and a report every two minutes.
_DEMO_ENVIRONMENT = {
    "ALERTWORKER_ALERTING_THRESHOLD": "5",
    "ALERTWORKER_GROUP_INTERVAL": "20",
    "SLACK_DAILY_REPORT_FREQUENCY": "120",
}

#: This machine's address, for a server that listens on all addresses.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - nothing is bound to it


_PORT: Final = click.option(
    "--port", type=click.IntRange(1, 65_535), help="Port of the pages and of HTTP. Default: http_port, which is 4010."
)
_DATA_DIR: Final = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the embedded broker and database. Default: alertworker-data in the working folder.",
)


@click.command()
@click.option("--demo", is_flag=True, help="Add simulated traffic.")
@_PORT
@_DATA_DIR
def run(demo: bool, port: int | None, data_dir: Path | None) -> None:  # noqa: FBT001 - click passes flags so
    """Start everything. Broker and database are embedded unless their URLs are configured.

    Two of them on one machine need different ports and data folders.
    """
    start(simulate=demo, port=port, folder=data_dir)


@click.command()
@_PORT
@_DATA_DIR
def demo(port: int | None, data_dir: Path | None) -> None:
    """Start everything, with simulated traffic."""
    start(simulate=True, port=port, folder=data_dir)


def start(*, simulate: bool, port: int | None = None, folder: Path | None = None) -> None:
    """Start all processes, supervise them until a signal arrives, and stop them.

    ``port`` and ``folder`` override the configuration, also that of the processes.
    """
    settings = _settings(simulate=simulate, port=port, folder=folder)
    name_program("supervisor")
    set_up_logs(settings.log_format, "WARNING")
    folder = data_dir()
    raise_file_limit()
    check_temporary_folder()
    held = lock(folder)
    check_port(settings.http_host, settings.http_port)
    environ = _environment(settings, folder, simulate=simulate)
    supervisor = Supervisor(environ)
    supervisor.listen()
    try:
        if settings.broker_url is None:
            supervisor.start("broker", valkey.command(folder))
        if settings.broker_url is None and not supervisor.stopping:
            valkey.wait_until_ready(folder)
        if not supervisor.stopping:
            _upgrade(environ)
        supervisor.start("ingest", [*_ALERTWORKER, "worker", "--role", "ingest", "--loglevel", "WARNING"])
        supervisor.start("deliver", [*_ALERTWORKER, "worker", "--role", "deliver", "--loglevel", "WARNING"])
        supervisor.start("beat", [*_ALERTWORKER, "beat", "--loglevel", "WARNING"])
        supervisor.start("web", [*_ALERTWORKER, "web", "--loglevel", "WARNING"])
        if simulate:
            supervisor.start("demo", [sys.executable, "-m", "alertworker.demo"])
        if not supervisor.stopping:
            _say_where(settings, environ)
        supervisor.run()
    finally:
        supervisor.stop()
        held.close()
    click.echo("Stopped. No process is left running.")
    if supervisor.interrupted:
        sys.exit(INTERRUPTED)


def _settings(*, simulate: bool, port: int | None, folder: Path | None) -> Settings:
    """Return the settings. Simulated calls must not get into the data of `run`, or into a real database."""
    from alertworker.settings import load_settings

    if port is not None:
        os.environ["ALERTWORKER_HTTP_PORT"] = str(port)
    if folder is not None:
        os.environ["ALERTWORKER_DATA_DIR"] = str(folder.absolute())
    settings = load_settings()
    if not simulate:
        return settings
    os.environ.setdefault("ALERTWORKER_DATA_DIR", "alertworker-demo")
    return settings.model_copy(update={"broker_url": None, "database_url": None})


def _environment(settings: Settings, folder: Path, *, simulate: bool) -> dict[str, str]:
    environ = dict(os.environ)
    environ["ALERTWORKER_DATA_DIR"] = str(folder)
    broker, database = settings.broker_url, settings.database_url
    environ["ALERTWORKER_BROKER_URL"] = broker.get_secret_value() if broker else default_broker_url(folder)
    if settings.api_key is None:
        environ["ALERTWORKER_API_KEY"] = generated_keys.load_or_create(admin_key_path(folder))
    if settings.publish_key is None:
        environ["ALERTWORKER_PUBLISH_KEY"] = generated_keys.load_or_create(publish_key_path(folder))
    environ["ALERTWORKER_DATABASE_URL"] = database.get_secret_value() if database else default_database_url(folder)
    for name in ("BROKER_URL", "DATABASE_URL"):
        environ.pop(f"ALERTWORKER_{name}_FILE", None)  # The value was read from this file and is set above.
    if settings.public_url is None and all(config.kind == "console" for config in settings.channels):
        # Only this machine reads the messages, so they may link to its own pages.
        environ["ALERTWORKER_PUBLIC_URL"] = _pages(settings)
    return {**_DEMO_ENVIRONMENT, **environ} if simulate else environ


def _pages(settings: Settings) -> str:
    """Return the URL of the pages on this machine."""
    host = _EVERYWHERE.get(settings.http_host, settings.http_host)
    return f"http://{host}:{settings.http_port}"


def _upgrade(environ: dict[str, str]) -> None:
    # A session of its own, so that Ctrl-C does not interrupt a migration.
    upgrade = [*_ALERTWORKER, "db", "upgrade"]
    done = subprocess.run(upgrade, env=environ, check=False, start_new_session=True)  # noqa: S603
    if done.returncode:
        raise AlertWorkerError("the database schema could not be upgraded; see the error above")


def _say_where(settings: Settings, environ: dict[str, str]) -> None:
    broker = environ["ALERTWORKER_BROKER_URL"]
    shown = broker if settings.broker_url is None else f"{urlsplit(broker).scheme}://{urlsplit(broker).hostname}"
    click.echo(f"alertworker is running, with its data in {environ['ALERTWORKER_DATA_DIR']}. Ctrl-C stops it.")
    labels = settings.channel_labels
    channels = [
        f"{labels.of(config.name)} (from {settings.places.get(config.name, 'the default')})"
        for config in settings.channels
    ]
    click.echo(f"Alerts go to: {', '.join(channels) or 'no channel'}.")
    _say_pages(settings, environ)
    click.echo("To connect a LiteLLM proxy on this machine, set in its environment and its config.yaml:")
    click.echo(f"  export ALERTWORKER_BROKER_URL='{shown}'")
    click.echo('  litellm_settings: {callbacks: ["alertworker.integrations.litellm.callback"]}')
    click.echo("To forward LiteLLM's own alerts instead, without installing anything in the proxy:")
    click.echo(f"  export SLACK_WEBHOOK_URL={_relay(settings, environ)}")
    click.echo('  general_settings: {alerting: ["slack"]}')


def _relay(settings: Settings, environ: dict[str, str]) -> str:
    """Return the relay's URL for a shell, which reads the key from its file or variable."""
    folder = Path(environ["ALERTWORKER_DATA_DIR"])
    made = f"$(cat {shlex.quote(str(publish_key_path(folder)))})"
    key = made if settings.publish_key is None else "$ALERTWORKER_PUBLISH_KEY"
    return f'"http://{settings.http_host}:{settings.http_port}/integrations/litellm/slack?key={key}"'


def _say_pages(settings: Settings, environ: dict[str, str]) -> None:
    """Print the URL of the pages. A generated key is printed only to a terminal."""
    click.echo(f"Pages and HTTP API: {_pages(settings)}")
    if settings.api_key is not None:
        click.echo("Log in with the configured admin key.")
    elif sys.stdout.isatty():
        click.echo(f"Log in with the key {environ['ALERTWORKER_API_KEY']}")
    else:
        click.echo(f"The key to log in is in {admin_key_path(Path(environ['ALERTWORKER_DATA_DIR']))}.")
