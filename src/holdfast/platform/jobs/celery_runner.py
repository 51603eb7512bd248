"""The runner on Celery and Redis: a message says that there is work, the rows say which.

So a message that is lost, late or doubled costs time and nothing else. The only module that knows
Celery. Not here: one attempt (attempt), the rows (rows).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from celery import Celery, signals
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from holdfast.config.database import PASSWORD_FROM
from holdfast.config.redis import sentinels_in
from holdfast.domain.market import NS_PER_S
from holdfast.errors import RetryableError
from holdfast.platform.jobs.broker_password import BrokerPassword
from holdfast.platform.jobs.local import Bench, Upkeep
from holdfast.telemetry.log import get_logger

log = get_logger("platform.jobs")

_TASK: Final = "holdfast.job"
_QUEUE: Final = "jobs"
_TEND_S: Final = 1.0
_LOST_S: Final = 10.0
"""After which a message that nobody has in his queue, of a job that still waits, is sent again."""
_IDLE_S: Final = 15.0
"""After which a worker that was told of nothing looks by itself."""


def celery_app(
    broker_url: str, deployment: str, password: BrokerPassword | None = None
) -> Celery:
    """Celery as it is used here: one queue, messages without content, no results.

    Args:
        password: what `password_of` the address.
    """
    url, following = _as_celery_has_it(broker_url)
    amqp = None if password is None else _amqp(password)
    app = Celery("holdfast", broker=url, set_as_current=False, amqp=amqp)
    app.conf.update(
        task_default_queue=_QUEUE,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # Acknowledged at its end, so that no worker keeps messages that another could act on.
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_redirect_stdouts=False,
        broker_connection_timeout=1.0,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "global_keyprefix": f"holdfast:{deployment}:",
            "socket_connect_timeout": 1.0,
            "socket_timeout": 5.0,
            "max_retries": 0,
            **following,
        },
    )
    return app


def password_of(broker_url: str) -> BrokerPassword | None:
    """The password that an address refers to; None where it refers to none."""
    found = sentinels_in(broker_url)
    parts = urlsplit(broker_url if found is None else found.leader_url)
    reference = dict(parse_qsl(parts.query)).get(PASSWORD_FROM)
    return BrokerPassword(reference, unquote(parts.username or "")) if reference else None


def _amqp(password: BrokerPassword) -> type[AMQP]:
    """Celery's way to connections, with this password on each."""

    class LetIn(AMQP):  # type: ignore[misc]  # it has no types
        Connection = staticmethod(partial(Connection, credential_provider=password))

    return LetIn


def _without_reference(url: str) -> str:
    """What Celery would not understand, and the user, whom the password comes with."""
    if PASSWORD_FROM not in url:
        return url
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name != PASSWORD_FROM]
    host = parts.netloc.rpartition("@")[2]
    query = f"?{urlencode(kept)}" if kept else ""
    return f"{parts.scheme}://{host}{parts.path}{query}"


def _as_celery_has_it(url: str) -> tuple[str, dict[str, Any]]:
    """An address as Celery writes it, with the options that belong to it."""
    found = sentinels_in(url)
    if found is None:
        url = _without_reference(url)
        if url.startswith("unix://"):
            url = f"redis+socket://{url.removeprefix('unix://')}"
        return url, {}
    own: dict[str, Any] = dict(found.own)
    if reference := own.pop(PASSWORD_FROM, ""):
        own["credential_provider"] = BrokerPassword(reference, own.pop("username", ""))
    login = f"{quote(found.username, safe='')}:{quote(found.password, safe='')}@"
    hosts = (
        f"sentinel://{login if found.password else ''}{host}:{port}/{found.database}"
        for host, port in found.hosts
    )
    asked = {
        "socket_connect_timeout": 1.0, "socket_timeout": 1.0, **own,
        # The driver would ask a Sentinel that is gone ten times before it asks the next.
        "retry": Retry(NoBackoff(), 0),
    }  # fmt: skip
    return ";".join(hosts), {"master_name": found.service, "sentinel_kwargs": asked}


class Sender:
    """Tells workers of jobs. What cannot be told is found in the rows later: nothing fails.

    Attributes:
        app: Celery; a worker in this process has the same, and with it a password that was taken.
    """

    def __init__(self, broker_url: str, deployment: str) -> None:
        self._password = password_of(broker_url)
        self.app = celery_app(broker_url, deployment, self._password)
        self._is_away = False

    def send(self, job_ids: Sequence[str]) -> None:
        """A message for each job."""
        try:
            for job_id in job_ids:
                self.app.send_task(_TASK, task_id=job_id, queue=_QUEUE, retry=False)
        except OperationalError as error:
            self._away(error)
        else:
            self._back()

    def waiting(self) -> int | None:
        """Messages that no worker has taken; None when the broker does not answer."""
        try:
            # One that is kept: workers ask each second, and a new one reads both passwords.
            with self.app.pool.acquire(block=True) as connection:
                connection.ensure_connection(max_retries=1, timeout=1.0)
                channel = connection.default_channel
                found = channel.queue_declare(_QUEUE).message_count
        except (OperationalError, OSError, RedisError) as error:
            self._away(error)
            return None
        self._back()
        return int(found)

    def _away(self, error: Exception) -> None:
        if self._password is not None:
            self._password.look(error)
        if not self._is_away:
            log.warning("the broker does not answer: jobs wait", action="broker_away",
                        why=str(error))  # fmt: skip
        self._is_away = True

    def _back(self) -> None:
        if self._password is not None:
            self._password.look(None)
        if self._is_away:
            log.info("the broker answers again", action="broker_back")
        self._is_away = False


class Dispatcher:
    """Sends what is ready and nobody was told of: tries again, parts, and what Redis forgot."""

    def __init__(self, bench: Bench, sender: Sender) -> None:
        self._bench = bench
        self._sender = sender

    def look(self) -> None:
        """Once."""
        now_ns = time.time_ns()
        waiting = self._sender.waiting()
        if waiting is None:
            return
        # A long queue is no reason to make it longer: only an empty one has lost something.
        before_ns = 1 if waiting else now_ns - round(_LOST_S * NS_PER_S)
        self._sender.send(self._bench.rows.send(now_ns, before_ns))


class CeleryWorker:
    """A Celery worker that does jobs in processes of this machine.

    Args:
        slots: at once.
    """

    def __init__(self, bench: Bench, upkeep: Upkeep, slots: int, app: Celery) -> None:
        self._bench, self._upkeep, self._slots, self._app = bench, upkeep, slots, app
        self._stop = threading.Event()
        self._counting = threading.Lock()
        self._under_way = 0
        self._heard_s = time.monotonic()
        app.task(name=_TASK)(self._do)

    def run(self) -> None:
        """Until SIGTERM or SIGINT; what is under way then is handed back. In the main thread."""
        tending = threading.Thread(target=self._tend, daemon=True)
        tending.start()
        signals.worker_shutting_down.connect(self._on_stop)
        signals.setup_logging.connect(_keep_logs)
        try:
            with _nothing_on_stdout():
                self._app.worker_main([
                    "--quiet", "worker", "--pool=threads", f"--concurrency={self._slots}",
                    f"--queues={_QUEUE}",
                    f"--hostname=holdfast@{self._bench.name.replace(':', '-')}",
                    "--without-gossip", "--without-mingle", "--without-heartbeat",
                ])  # fmt: skip
        finally:
            self._stop.set()
            tending.join()

    def _on_stop(self, **_: Any) -> None:
        self._stop.set()

    def _do(self) -> None:
        """What a message begins: the next job that is ready, whichever it is."""
        self._count(1)
        try:
            claimed = self._bench.claim()
            if claimed is not None:
                self._bench.do(claimed, self._stop)
        except RetryableError as error:
            log.warning("jobs wait", action="jobs_wait", why=str(error))
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._counting:
            self._under_way += more
            self._heard_s = time.monotonic()

    def _tend(self) -> None:
        looking = threading.Thread(target=self._do)
        while not self._stop.wait(_TEND_S):
            self._upkeep.tend()
            # A worker whose broker came back may be sent nothing any more; the rows still say.
            idle_s = 0.0 if self._under_way else time.monotonic() - self._heard_s
            if idle_s > _IDLE_S and not looking.is_alive():
                looking = threading.Thread(target=self._do)
                looking.start()
        if looking.is_alive():
            looking.join()


def _keep_logs(**_: Any) -> None:
    """Who listens to this signal sets up logs, and Celery does not: ours are as they should be."""
    logging.getLogger("celery").setLevel(logging.WARNING)


@contextmanager
def _nothing_on_stdout() -> Iterator[None]:
    """That belongs to the verb's result; what Celery says there goes to the log's side."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
