"""``alertworker worker`` and ``alertworker beat``: start a Celery worker or Celery beat."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from alertworker.cli.params import LOG_LEVEL

if TYPE_CHECKING:
    from alertworker.settings import Settings

_log = logging.getLogger(__name__)


@click.command()
@click.option(
    "--role",
    type=click.Choice(["ingest", "deliver", "all"]),
    default="all",
    show_default=True,
    help="ingest: apply batches (processes). deliver: send messages and sweep (threads). all: both in one worker.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    help="Number of processes or threads. Default: 2 for ingest, 8 for deliver, 4 for all.",
)
@LOG_LEVEL
def worker(role: str, concurrency: int | None, loglevel: str) -> None:
    """Start one worker. Delivery is a role of its own, so that a slow receiver never delays ingestion."""
    from celery.exceptions import SecurityWarning

    from alertworker.host.logs import name_program, set_up_logs
    from alertworker.host.open_files import raise_file_limit
    from alertworker.host.paths import check_temporary_folder
    from alertworker.worker.shutdown import exit_code

    settings = _load_settings()
    name_program("worker" if role == "all" else role)
    raise_file_limit()
    check_temporary_folder()
    set_up_logs(settings.log_format, loglevel)  # Celery sets up its own logs when it starts.
    # Every installation has a worker that ingests, so each warning is logged only there.
    for warning in settings.warnings if role != "deliver" else ():
        _log.warning("%s", warning)

    pool = "threads" if role == "deliver" else "prefork"
    size = concurrency or {"ingest": 2, "deliver": 8, "all": 4}[role]
    warnings.filterwarnings("ignore", category=SecurityWarning)  # The warning is about pickle, which we do not accept.
    code = _start(
        [
            "--quiet",
            "worker",
            f"--queues={','.join(_queues(role))}",
            f"--pool={pool}",
            f"--concurrency={size}",
            f"--loglevel={loglevel}",
            f"--hostname={role}@%h",
            *_prefetch(role),
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )
    sys.exit(exit_code(code))


def _queues(role: str) -> list[str]:
    """Return the queues that a role consumes."""
    from alertworker.app import celery
    from alertworker.events.batch import QUEUE
    from alertworker.publisher.topology import DEAD_QUEUE, is_amqp
    from alertworker.worker.queues import DELIVERIES, PERIODIC

    events = [QUEUE, *([DEAD_QUEUE] if is_amqp(celery.conf.broker_url) else [])]
    return {"ingest": events, "deliver": [DELIVERIES, PERIODIC], "all": [*events, DELIVERIES, PERIODIC]}[role]


def _prefetch(role: str) -> list[str]:
    """Return the option with the prefetch of workers that join batches, unless an operator has chosen another."""
    from alertworker.app import celery
    from alertworker.worker.celery_config import worker_prefetch_multiplier
    from alertworker.worker.joined import PREFETCH

    is_default = celery.conf.worker_prefetch_multiplier == worker_prefetch_multiplier
    return [f"--prefetch-multiplier={PREFETCH}"] if role == "ingest" and is_default else []


def _load_settings() -> Settings:
    """Return the settings. With the embedded database the data folder exists afterwards.

    Raises:
        AlertWorkerError: the settings have an error, or the data folder cannot be used.
    """
    from alertworker.host.paths import data_dir, make_data_dir
    from alertworker.settings import load_settings

    settings = load_settings()
    if settings.database_url is None:
        make_data_dir(data_dir())
    return settings


def _start(arguments: Sequence[str]) -> int | None:
    """Run Celery's program, and return its exit code, which `Celery.start` loses."""
    from celery.bin.celery import celery as program

    from alertworker.app import celery

    program.params[0].default = celery
    code: int | None = program.main(args=list(arguments), standalone_mode=False)
    return code


@click.command()
@LOG_LEVEL
def beat(loglevel: str) -> None:
    """Start the scheduler of sweeps and reports. Two are harmless: each sweep does only what is still due."""
    from celery.signals import beat_init

    from alertworker.app import celery
    from alertworker.host.interrupt import Interrupt
    from alertworker.host.logs import name_program

    _load_settings()
    name_program("beat")
    interrupt = Interrupt()
    beat_init.connect(interrupt.watch, weak=False)  # Celery has installed its handler by then.
    try:
        celery.start(["--quiet", "beat", "--pidfile=", f"--loglevel={loglevel}"])
    finally:
        interrupt.raise_again()
