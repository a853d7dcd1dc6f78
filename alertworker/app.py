"""The composition root, the only module that names concrete classes, and the Celery application."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from celery import Celery
from sqlalchemy import Engine

from alertworker.broker import CeleryBroker
from alertworker.channels import build_channel, http
from alertworker.channels.address_guard import AllowedAddresses
from alertworker.channels.owner_mail import build_owner_mail
from alertworker.health import Doctor
from alertworker.host.paths import data_dir, database_path, default_database_url, make_data_dir
from alertworker.imports.progress import History
from alertworker.pipeline import Reporter, Runtime, StoreWatchdog, start_publishing
from alertworker.ports.processes import Process, ProcessPort
from alertworker.settings import Settings, load_settings
from alertworker.settings.published import describe_process
from alertworker.store import AdminStore, HealthStore, ProcessStore, SqlLedgerReader, SqlStore, make_engine
from alertworker.store.migrations import has_schema, upgrade
from alertworker.store.outage_marker import FileOutageMarker


def _config_module() -> str:
    """Return the module of Celery's settings: ``celeryconfig``, if there is one, else our own.

    A ``celeryconfig.py`` in the working folder comes first, in every program. An installed program does not have this
    folder in its path, and a checkout has another file with this name. The folder is appended to the path for the
    file's own imports, so nothing in it hides a library.
    """
    own = Path.cwd() / "celeryconfig.py"
    if "celeryconfig" not in sys.modules and own.is_file():
        sys.path.append(str(own.parent))
        spec = importlib.util.spec_from_file_location("celeryconfig", own)
        assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - for mypy
        module = sys.modules["celeryconfig"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    found = "celeryconfig" in sys.modules or importlib.util.find_spec("celeryconfig") is not None
    return "celeryconfig" if found else "alertworker.worker.celery_config"


celery: Final[Celery] = Celery(
    "alertworker",
    include=["alertworker.worker.tasks", "alertworker.worker.beat"],
    amqp="alertworker.worker.opaque:AMQP",
    task_cls="alertworker.worker.lost_acks:Task",
)
celery.steps["worker"].update(("alertworker.worker.lost_acks:Loop", "alertworker.worker.shutdown:Bound"))
celery.config_from_object(_config_module())


def build_engine(settings: Settings) -> Engine:
    """Return the configured database. The default is SQLite in the data folder."""
    folder = data_dir()
    if settings.database_url is None:
        make_data_dir(folder)
        with suppress(OSError):  # The database reports why it cannot be opened.
            database_path(folder).touch(mode=0o600)  # SQLite gives the files beside it the same mode.
        return make_engine(default_database_url(folder))
    return make_engine(settings.database_url.get_secret_value())


def build_broker() -> CeleryBroker:
    """Return the broker that Celery is configured with."""
    return CeleryBroker(celery)


def build_health_store(settings: Settings) -> HealthStore:
    """Return the store interface of health checks and metrics."""
    return HealthStore(build_engine(settings))


def build_admin_store() -> AdminStore:
    """Return the store interface of the command line and the pages."""
    return AdminStore(build_engine(load_settings()))


def build_doctor(settings: Settings) -> Doctor:
    """Return the object that runs the health checks."""
    engine = build_engine(settings)
    return Doctor(settings, build_broker().ask, HealthStore(engine), SqlStore(engine), AdminStore(engine))


def build_ledger_reader() -> SqlLedgerReader:
    """Return the reader of the ledger."""
    return SqlLedgerReader(build_engine(load_settings()))


def build_history() -> History:
    """Return the ledger interface of imports."""
    return History(build_engine(load_settings()))


def build_runtime(settings: Settings, *, engine: Engine | None = None) -> Runtime:
    """Return everything that the pipeline needs. ``engine`` replaces the configured database."""
    owner_mail = build_owner_mail(settings.channels)
    channels = {config.name: build_channel(config) for config in settings.channels}
    if owner_mail is not None:
        channels[owner_mail.name] = owner_mail
    return Runtime(
        store=SqlStore(engine or build_engine(settings)),
        broker=build_broker(),
        channels=channels,
        owner_mail=owner_mail.name if owner_mail else None,
        router=settings.router(),
        labels=settings.channel_labels,
        places=settings.places,
        inhibitions=settings.inhibitions,
        policy=settings.policy(),
        users=settings.users(),
        budgets=settings.budgets,
        retry=settings.retry.policy(),
        zone=settings.zone,
        proxy_url=settings.proxy_base_url,
        public_url=settings.public_url,
        heartbeat=_heartbeat(settings),
        heartbeat_seconds=settings.heartbeat_interval,
        shadow=settings.shadow,
        log_payloads=settings.alerting_args.log_to_console,
        max_entities=settings.spend_max_entities,
        retention=timedelta(days=settings.spend_retention_days),
        record_retention=timedelta(days=settings.retention_days),
    )


def get_reporter() -> Reporter:
    """Return the object that builds and sends reports in this process."""
    pid = os.getpid()
    settings, ledger = _settings_of(pid), SqlLedgerReader(_engine_of(pid))
    patience = settings.alerting_args.report_check_interval
    return Reporter(get_runtime(), ledger, settings.calendar(), settings.reports.teams, patience)


def build_dry_run(settings: Settings, *, fresh: bool) -> Runtime:
    """Return the runtime of a dry run, which uses the configured database.

    With ``fresh``, or if the embedded database does not exist yet, it uses an empty database in memory.
    """
    embedded = settings.database_url is None
    if not fresh and (not embedded or (database_path(data_dir()).exists() and has_schema(build_engine(settings)))):
        return build_runtime(settings)
    engine = make_engine("sqlite://")
    upgrade(engine)
    return build_runtime(settings, engine=engine)


def _heartbeat(settings: Settings) -> Callable[[], None] | None:
    if settings.heartbeat_url is None:
        return None
    allowed = AllowedAddresses(settings.allowed_networks, settings.allowed_hosts)
    return partial(http.ping, settings.heartbeat_url.get_secret_value(), allowed)


def get_runtime() -> Runtime:
    """Return this process's runtime. Each process has its own: connections must not be shared after a fork."""
    return _runtime_of(os.getpid())


def store_watchdog() -> StoreWatchdog:
    """Return the object that watches the database from this host."""
    patience = timedelta(seconds=_settings_of(os.getpid()).store_patience)
    return StoreWatchdog(get_runtime(), FileOutageMarker(data_dir() / "store-away"), patience=patience)


def publish_process(role: str, clock: Callable[[], datetime]) -> None:
    """Publish the configuration of this process until it ends."""

    def build() -> tuple[Process, ProcessPort]:
        pid = os.getpid()
        return describe_process(_settings_of(pid), role, now=clock()), ProcessStore(_engine_of(pid))

    start_publishing(build, clock)


@lru_cache(maxsize=1)
def _runtime_of(pid: int) -> Runtime:
    return build_runtime(_settings_of(pid), engine=_engine_of(pid))


@lru_cache(maxsize=1)
def _settings_of(_pid: int) -> Settings:
    return load_settings()


@lru_cache(maxsize=1)
def _engine_of(pid: int) -> Engine:
    return build_engine(_settings_of(pid))
