"""Celery's settings, as a module that a deployment's ``celeryconfig.py`` re-exports and overrides."""

from __future__ import annotations

import os

# SIGTERM stops like SIGQUIT: a bounded wait for running tasks, then unfinished ones go back to the broker. Celery reads
# this when its worker is imported, so it precedes the other imports.
os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")

from kombu import Queue

from alertworker.events.batch import QUEUE, TASK
from alertworker.host.addresses import with_verified_tls
from alertworker.host.paths import data_dir, default_broker_url
from alertworker.publisher.topology import dead_queue, events_queue, is_amqp, task_queue, transport_options
from alertworker.settings import load_settings
from alertworker.worker.queues import DELIVERIES, PERIODIC

_settings = load_settings()

broker_url: str = with_verified_tls(
    _settings.broker_url.get_secret_value() if _settings.broker_url else default_broker_url(data_dir())
)
broker_transport_options: dict[str, object] = transport_options(broker_url)
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
# After a channel error (a deleted queue, a server that became a replica) the worker reconnects instead of ending.
broker_channel_error_retry = True
broker_connection_timeout = 5
broker_pool_limit = 10

task_queues: tuple[Queue, ...] = (
    events_queue(broker_url),
    task_queue(broker_url, DELIVERIES),
    task_queue(broker_url, PERIODIC),
    *((dead_queue(broker_url),) if is_amqp(broker_url) else ()),
)
task_default_queue = PERIODIC
task_default_exchange_type = "topic" if is_amqp(broker_url) else "direct"
task_create_missing_queues = False
task_routes: dict[str, dict[str, str]] = {
    TASK: {"queue": QUEUE, "routing_key": QUEUE},
    "alertworker.deliver": {"queue": DELIVERIES, "routing_key": DELIVERIES},
    "alertworker.park": {"queue": PERIODIC, "routing_key": PERIODIC},
    "alertworker.sweep": {"queue": PERIODIC, "routing_key": PERIODIC},
    "alertworker.report": {"queue": PERIODIC, "routing_key": PERIODIC},
}
# Beat keeps no schedule file: a kill or a second beat corrupts the default one, and then beat never starts again. The
# times of the last runs are in the database.
beat_scheduler = "alertworker.worker.beat:Scheduler"
beat_schedule: dict[str, dict[str, object]] = {
    # A late sweep is useless: the next one does the same work.
    "sweep": {"task": "alertworker.sweep", "schedule": 1.0, "options": {"expires": 5}},
    "report": {"task": "alertworker.report", "schedule": 10.0, "options": {"expires": 20}},
}

accept_content = ["msgpack", "json"]
task_serializer = "json"
task_ignore_result = True
task_store_errors_even_if_ignored = False
# A message is acknowledged when its task is done. If the worker dies, another one gets it. Every task may be repeated.
task_acks_late = True
task_reject_on_worker_lost = True
task_publish_retry = False
worker_prefetch_multiplier = 1
worker_consumer = "alertworker.worker.consumer:Consumer"
worker_cancel_long_running_tasks_on_connection_loss = False
worker_soft_shutdown_timeout = 5.0
worker_enable_remote_control = False
worker_send_task_events = False
worker_hijack_root_logger = True
worker_redirect_stdouts = False
timezone = "UTC"
