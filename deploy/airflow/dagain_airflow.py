"""Reports failures and successes of Dag runs to a dagain sidecar, which then retries whole runs.

One file, standard library only, for Airflow 2.10 to 3.3: put it in the plugins folder, or install it with pip.

For every Dag, without touching any: set DAGAIN_LISTENER=true for all of Airflow's processes.

    DAGAIN_LISTENER       true: the plugin in this file reports failed tasks, failed runs and successful runs (false)
    DAGAIN_LISTENER_DAGS  only those of Dags whose id fits one of these globs: etl_*,report_?
    DAGAIN_LISTENER_TAGS  only those of Dags that have one of these tags; with both, both must fit

For one Dag, a notifier (or on_failure and on_success, which are plain functions):

    from dagain_airflow import DagainNotifier

    with DAG(
        "etl",
        default_args={"on_failure_callback": DagainNotifier()},  # each task: reported as soon as it fails
        on_failure_callback=DagainNotifier(),  # the run: also when a task died without a word
        on_success_callback=DagainNotifier(),  # the run: the sidecar forgets it
    ): ...

The environment says where the sidecar is:

    DAGAIN_URL             http://127.0.0.1:8484
    DAGAIN_CALLBACK_TOKEN  bearer token, unless the sidecar takes anonymous callbacks (or DAGAIN_CALLBACK_TOKEN_FILE)
    DAGAIN_WEBHOOK_SECRET  signs every callback as https://www.standardwebhooks.com says (or DAGAIN_WEBHOOK_SECRET_FILE)
    DAGAIN_TIMEOUT         3s, for everything together: Airflow gives callbacks about 20 s to live

A callback never raises and never takes longer than that. What cannot be delivered is logged and dropped: of a run that
the sidecar watches already, the failure is found all the same; of any other, only in its watch mode (DAGAIN_WATCH=on).
"""

from __future__ import annotations

import base64
import collections
import contextlib
import copy
import fnmatch
import hashlib
import hmac
import http.client
import importlib
import json
import logging
import math
import multiprocessing.util
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, NamedTuple, TypeVar, Union
from urllib.parse import SplitResult, urlsplit

__all__ = [
    "DagainCallback",
    "DagainNotifier",
    "DagainPlugin",
    "DoNotRetryDagRun",
    "RetryDagRun",
    "dagain_callback",
    "on_failure",
    "on_success",
]
__version__ = "0.1.0"

log = logging.getLogger("dagain_airflow")

DEFAULT_URL = "http://127.0.0.1:8484"
DEFAULT_TIMEOUT_S = 3.0
MAX_TIMEOUT_S = 15.0  # Airflow ends a callback after about 20 s.
MAX_TRIES = 2
PAUSE_S = 0.2
MAX_MESSAGE = 2_000
MAX_ANSWER_BYTES = 64 * 1024
MAX_WAITING = 1_000  # Reports of the plugin, in each of Airflow's processes.
TELL_DROPS_EVERY_S = 60.0

# Seconds, a timedelta, or text such as "90s", "5m", "2h".
Delay = Union[int, float, str, timedelta]
ExceptionClass = type[BaseException]
When = Union[Callable[[Mapping[str, Any], Any], Any], ExceptionClass, tuple[ExceptionClass, ...]]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def _from_airflow(*places: str) -> Any:
    """The first of these that can be imported. None outside Airflow, where the plain functions work all the same."""
    for place in places:
        module, _, name = place.rpartition(".")
        # Whatever it is: an Airflow that cannot be imported has worse trouble than we could tell.
        with contextlib.suppress(Exception):
            return getattr(importlib.import_module(module), name)
    return None


_BaseNotifier: Any = _from_airflow("airflow.sdk.BaseNotifier", "airflow.notifications.basenotifier.BaseNotifier")
_AirflowPlugin: Any = _from_airflow("airflow.plugins_manager.AirflowPlugin")
_HookimplMarker: Any = _from_airflow("pluggy.HookimplMarker")


class RetryDagRun(Exception):
    """Raised by a task to have its whole Dag run retried on these terms; what is left out stays as configured.

    It fails the task like any other exception: the task's own retries, if it has any, come first.
    """

    def __init__(self, message: str = "", *, max_retries: int | None = None, delay: Delay | None = None) -> None:
        super().__init__(message)
        self.max_retries = max_retries
        self.delay = delay


class DoNotRetryDagRun(Exception):
    """Raised by a task when another attempt of its Dag run would be pointless or harmful.

    It says nothing about the task's own retries: give that task `retries=0`, or they come first.
    """


class DagainCallback:
    """A failure callback with options, for tasks and Dags; made by `dagain_callback`."""

    def __init__(self, *, retry: Mapping[str, Any] | None = None, when: When | None = None) -> None:
        self.retry = _plain_policy(retry or {})
        self.when = _checked_when(when)
        self.__name__ = "dagain_callback"

    def __call__(self, context: Mapping[str, Any]) -> None:
        _never_raise(_report_failure, context, self.retry, self.when)


def dagain_callback(*, retry: Mapping[str, Any] | None = None, when: When | None = None) -> DagainCallback:
    """Makes an `on_failure_callback` with its own terms.

    `retry` is a layer of the sidecar's policy for runs that fail here: `{"max_retries": 5, "delay": "5m"}`.

    `when` says which failures of tasks are worth another attempt: exception classes, or a predicate of
    `(context, exception)`. Where Airflow knows no exception (killed workers), a predicate gets None and a class does
    not match. A predicate that raises counts as yes. The Dag level knows no exception, so `when` is not asked there.
    """
    return DagainCallback(retry=retry, when=when)


class DagainNotifier(_BaseNotifier or object):  # type: ignore[misc]
    """A callback for `on_failure_callback` and `on_success_callback`, of tasks and of Dags: it reports what happened.

    `retry` and `when` are those of `dagain_callback`; `retry` is a template. `dagain_conn_id` names a connection that
    says where the sidecar is, instead of the environment: host, port and schema (`http` or `https`) make its URL, the
    password is the token.

    Terms that cannot be rendered forbid the retry, and the log says so.
    """

    template_fields = ("retry", "dagain_conn_id")

    def __init__(
        self, *, retry: Mapping[str, Any] | None = None, when: When | None = None, dagain_conn_id: str | None = None
    ) -> None:
        self.retry = _plain_policy(retry or {})
        self.when = _checked_when(when)
        self.dagain_conn_id = dagain_conn_id
        super().__init__()

    def __call__(self, *args: Any) -> None:
        # Not Airflow's own, which raises where a template does.
        if len(args) == 1:
            _never_raise(self._report, args[0])

    def notify(self, context: Mapping[str, Any]) -> None:
        """Reports with the terms as they stand."""
        _never_raise(_report_outcome, context, self.retry, self.when, self.dagain_conn_id)

    def _report(self, context: Mapping[str, Any]) -> None:
        # A copy, because rendering changes a notifier for good, and one stands for all tasks of a Dag.
        notifier = copy.copy(self)
        if "{{" in (written := json.dumps([self.retry, self.dagain_conn_id])) or "{%" in written:
            try:
                notifier.render_template_fields(context)
                notifier.retry = _plain_policy(_numbers(notifier.retry))
            except Exception:
                log.exception("dagain: the terms %s cannot be rendered, so this failure will not be retried", written)
                notifier.retry = {"max_retries": 0}
        notifier.notify(context)


def on_failure(context: Mapping[str, Any]) -> None:
    """The `on_failure_callback` of tasks and of Dags."""
    _never_raise(_report_failure, context, {}, None)


def on_success(context: Mapping[str, Any]) -> None:
    """The `on_success_callback` of Dags. On a task it does nothing: one task's success is not the run's."""
    _never_raise(_report_success, context)


def _never_raise(report: Callable[..., None], *args: Any) -> None:
    try:
        report(*args)
    except Exception:
        log.exception("dagain: nothing was reported, because of a mistake in the callback itself")


# What is reported


def _report_failure(
    context: Mapping[str, Any], retry: Mapping[str, Any], when: When | None, conn_id: str | None = None
) -> None:
    if _is_dag_level(context):
        path, body = "run-failed", _run_failed(context, retry)
    else:
        path, body = "task-failed", _task_failed(context, retry, when)
    _deliver(path, body, conn_id)


def _report_success(context: Mapping[str, Any], conn_id: str | None = None) -> None:
    if _is_dag_level(context):
        _deliver("run-succeeded", _run_ids(context), conn_id)


def _report_outcome(
    context: Mapping[str, Any], retry: Mapping[str, Any], when: When | None, conn_id: str | None
) -> None:
    """For a callback that is not told whether it stands for failure or for success."""
    if _is_dag_level(context):
        ended = _first(_text(_get(context, "reason")), _text(_get(_get(context, "dag_run"), "state")))
        has_failed = ended != "success"
    else:
        state = _text(_get(_task_instance(context), "state"))
        # 3.0.0 knows no states here. The Dag processor calls back for lost tasks only, and tells no exception.
        no_exception = "exception" in context and _get(context, "exception") is None
        has_failed = state == "failed" or (state in (None, "running") and not no_exception)
    if has_failed:
        _report_failure(context, retry, when, conn_id)
    else:
        _report_success(context, conn_id)


def _is_dag_level(context: Mapping[str, Any]) -> bool:
    """Only a Dag's callback is given a reason; a task instance is in most contexts of both levels."""
    return "reason" in context or _task_instance(context) is None


def _task_failed(context: Mapping[str, Any], retry: Mapping[str, Any], when: When | None) -> dict[str, Any]:
    ti, task = _task_instance(context), _get(context, "task")
    exception = _get(context, "exception")
    terms, cause = _terms(context, exception, retry, when)
    return _without_none(
        {
            **_run_ids(context),
            "task_id": _text(_first(_get(ti, "task_id"), _get(task, "task_id"))),
            "map_index": _int(_get(ti, "map_index")),
            "try_number": _int(_get(ti, "try_number")),
            "max_tries": _int(_get(ti, "max_tries")),
            "task_instance_id": _text(_get(ti, "id")),
            "operator": _text(_first(_get(task, "task_type"), _get(ti, "operator"))),
            "exception": _describe(cause),
            "failed_at": _time(_get(ti, "end_date")) or _now(),
            "log_url": _text(_get(ti, "log_url")),
            "dag_run": _dag_run(context),
            "failure_class": _failure_class(context, exception),
            "retry": terms or None,
        }
    )


def _run_failed(context: Mapping[str, Any], retry: Mapping[str, Any]) -> dict[str, Any]:
    # The task instance in this context is whichever ended last: it says nothing about the failure.
    reason = _text(_get(context, "reason"))
    return _without_none(
        {
            **_run_ids(context),
            "reason": reason if reason in ("task_failure", "timed_out", "all_tasks_deadlocked") else None,
            "failed_at": _time(_get(_get(context, "dag_run"), "end_date")) or _now(),
            "dag_run": _dag_run(context),
            "retry": dict(retry) or None,
        }
    )


def _run_ids(context: Mapping[str, Any]) -> dict[str, Any]:
    run, ti = _get(context, "dag_run"), _task_instance(context)
    dag, task = _get(context, "dag"), _get(context, "task")
    dag_ids = [_get(each, "dag_id") for each in (run, ti, dag, task, context)]
    run_ids = [_get(each, "run_id") for each in (run, ti, context)]
    return {"dag_id": _text(_first(*dag_ids)), "dag_run_id": _text(_first(*run_ids, _get(run, "dag_run_id")))}


def _dag_run(context: Mapping[str, Any]) -> dict[str, Any] | None:
    run = _get(context, "dag_run")
    known = {
        "start_date": _time(_get(run, "start_date")),
        "clear_number": _int(_get(run, "clear_number")),
        "run_type": _text(_get(run, "run_type")),
    }
    return _without_none(known) or None


def _task_instance(context: Mapping[str, Any]) -> Any:
    return _first(_get(context, "ti"), _get(context, "task_instance"))


# Which failures are worth another attempt


def _terms(
    context: Mapping[str, Any], exception: Any, retry: Mapping[str, Any], when: When | None
) -> tuple[dict[str, Any], Any]:
    """The policy layer of this failure, and the exception that decided it. What the failing code asks for wins."""
    for link in _chain(exception):
        names = _class_names(link)
        if "DoNotRetryDagRun" in names:
            return {**retry, "max_retries": 0}, link
        if "RetryDagRun" in names:
            asked = {"max_retries": _int(_get(link, "max_retries")), "delay": _delay(_get(link, "delay"))}
            return {**retry, **_without_none(asked)}, link
    if when is not None and not _is_wanted(context, exception, when):
        return {"never_on": ["*"]}, exception
    return dict(retry), exception


def _is_wanted(context: Mapping[str, Any], exception: Any, when: When) -> bool:
    classes = _exception_classes(when)
    if classes:
        # By name as well: a Dag file that was parsed again holds other objects than the ones that were raised.
        names = {_qualified_name(each) for each in classes}
        return any(_qualified_name(each) in names for each in type(exception).__mro__)
    try:
        return bool(when(context, exception))  # type: ignore[operator]
    except Exception:
        log.exception("dagain: the predicate `when` raised, so the failure stays retryable")
        return True


def _checked_when(when: When | None) -> When | None:
    """Raises TypeError: in a Dag file a mistake should show when it is parsed."""
    if when is not None and not callable(when) and not _exception_classes(when):
        raise TypeError(f"when must be a predicate, an exception class or a tuple of them, is {when!r}")
    return when


def _exception_classes(when: Any) -> tuple[ExceptionClass, ...]:
    classes = when if isinstance(when, (tuple, list)) else (when,)
    return tuple(classes) if all(isinstance(c, type) and issubclass(c, BaseException) for c in classes) else ()


def _chain(exception: Any) -> Iterator[BaseException]:
    """The exception, what it was raised from, and so on, as a traceback would show it."""
    seen: set[int] = set()
    while isinstance(exception, BaseException) and id(exception) not in seen and len(seen) < 50:
        seen.add(id(exception))
        yield exception
        exception = exception.__cause__ or (None if exception.__suppress_context__ else exception.__context__)


def _plain_policy(retry: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON. Raises TypeError or ValueError: in a Dag file a mistake should show when it is parsed."""
    plain = {str(key): _delay(value) if isinstance(value, timedelta) else value for key, value in retry.items()}
    json.dumps(plain, allow_nan=False)
    return plain


def _numbers(retry: Mapping[str, Any]) -> dict[str, Any]:
    """A template renders to text, also where a number is meant."""
    return {
        key: int(value) if isinstance(value, str) and value.strip().isdecimal() else value
        for key, value in retry.items()
    }


def _delay(value: Any) -> Any:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    return value if isinstance(value, str) else _int(value)


_TIMEOUTS = {"AirflowTaskTimeout", "AirflowSensorTimeout", "TaskDeferralTimeout"}
# What Airflow itself says of tasks that ended from outside. Airflow 2 reports a lost one as a bare dict of its ids.
_KILLED = re.compile(
    r"heartbeat|zombie|sigkill|sigterm|killed externally|stuck in queued"
    r"|finished with state .* but the task instance|^\{'DAG Id': ",
    re.IGNORECASE | re.DOTALL,
)


def _failure_class(context: Mapping[str, Any], exception: Any) -> str | None:
    """Only what is certain; the sidecar has rules for the rest."""
    names = _class_names(exception)
    if names & _TIMEOUTS:
        return "timeout"
    if "AirflowTaskTerminated" in names:
        return "infra"
    # The words of a user's own exception mean nothing.
    if (isinstance(exception, str) or type(exception).__name__ == "AirflowException") and _KILLED.search(
        _str(exception)
    ):
        return "infra"
    return "infra" if _was_lost(context) else None


def _was_lost(context: Mapping[str, Any]) -> bool:
    """Airflow 3 has the Dag processor call back for a task that can't: no exception, and the task never started."""
    ti = _task_instance(context)
    return (
        type(ti).__module__.startswith("airflow.sdk.")
        and "exception" not in context
        and _get(ti, "start_date") is None
        and _get(ti, "state") is None
    )


# Reading what Airflow hands over, in all its shapes


def _get(source: Any, name: str) -> Any:
    """A key or an attribute; None when it is missing or reading it fails, as a detached ORM object's can."""
    try:
        if isinstance(source, Mapping):
            return source.get(name)
        return getattr(source, name, None)
    except Exception:  # noqa: BLE001 -- whatever it is, the rest can still be told
        return None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None and value != ""), None)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _str(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 -- a user's own __str__
        return f"<{type(value).__name__} that cannot be shown>"


def _text(value: Any) -> str | None:
    value = getattr(value, "value", value)  # An enum's.
    return None if value is None else _str(value)


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: Any) -> str | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    aware = value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc).isoformat()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


def _describe(exception: Any) -> dict[str, Any] | None:
    if exception is None:
        return None
    message = _str(exception)
    shown = message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
    # Airflow's own words come without a type.
    return {"message": shown} if isinstance(exception, str) else {"type": _type_name(exception), "message": shown}


def _type_name(exception: Any) -> str:
    return _qualified_name(exception if isinstance(exception, type) else type(exception))


def _qualified_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _class_names(exception: Any) -> set[str]:
    return {each.__name__ for each in type(exception).__mro__} if isinstance(exception, BaseException) else set()


# Delivery


class _Settings(NamedTuple):
    url: SplitResult
    token: str | None
    secret: str | None
    timeout_s: float


class _Answer(NamedTuple):
    status: int
    body: Any  # None when it is no JSON object.


class _Unreachable(Exception):
    pass


def _deliver(path: str, body: dict[str, Any], conn_id: str | None = None) -> None:
    what = f"{path} of run {body.get('dag_id')} {body.get('dag_run_id')}"
    if not body.get("dag_id") or not body.get("dag_run_id") or (path == "task-failed" and not body.get("task_id")):
        log.error("dagain: %s cannot be reported, because Airflow's context does not say which it is", what)
        return
    try:
        settings = _settings(conn_id)
    except (OSError, ValueError) as error:
        log.error("dagain: %s was not reported: %s", what, error)
        return
    outcome: list[_Answer | Exception] = []

    def send() -> None:
        try:
            outcome.append(_send(settings, path, json.dumps(body, default=_str).encode()))
        except Exception as error:  # noqa: BLE001 -- raised to nobody in a thread; logged below
            outcome.append(error)

    # In a thread, because a look-up of a name or an answer that trickles in can outlast any socket's own timeout.
    thread = threading.Thread(target=send, name="dagain", daemon=True)
    try:
        thread.start()
        thread.join(settings.timeout_s)
    except RuntimeError:
        # No thread can be started any more while the interpreter ends.
        send()
    where = f"{settings.url.scheme}://{settings.url.netloc.rpartition('@')[2]}"
    _log_outcome(what, where, outcome[0] if outcome else _Unreachable(f"no answer within {settings.timeout_s:g} s"))


def _log_outcome(what: str, where: str, outcome: _Answer | Exception) -> None:
    if isinstance(outcome, Exception):
        lost = "which finds it only where it watches the run already or has DAGAIN_WATCH=on"
        log.error("dagain: %s was not delivered to %s, %s: %s", what, where, lost, _str(outcome))
        return
    status, body = outcome
    known = body if isinstance(body, dict) else {}
    if 200 <= status < 300 and "decision" in known:
        # The plugin reports every successful run, and most of them never failed.
        level = logging.DEBUG if known["decision"] == "unknown_run" else logging.INFO
        log.log(level, "dagain: %s: %s", what, _summary(known))
    elif 200 <= status < 300:
        log.error("dagain: %s was answered %s, but not by dagain: is DAGAIN_URL (%s) right?", what, status, where)
    else:
        hint = ": is DAGAIN_CALLBACK_TOKEN right?" if status in (401, 403) else ""
        problem = f" {known.get('code')}: {known.get('detail') or known.get('title')}" if known else ""
        errors = f" {json.dumps(known['errors'])}" if known.get("errors") else ""
        log.error("dagain: %s was refused by %s with %s%s%s%s", what, where, status, problem, errors, hint)


def _summary(decided: Mapping[str, Any]) -> str:
    parts = [f"{decided['decision']} ({decided.get('reason')})"]
    if decided.get("next_attempt") is not None:
        parts.append(f"attempt {decided['next_attempt']} is due at {decided.get('due_at')}")
    if decided.get("max_retries") is not None:
        parts.append(f"{decided.get('retries_used')} of {decided['max_retries']} retries used")
    return ", ".join(parts)


def _send(settings: _Settings, path: str, body: bytes) -> _Answer:
    """Tries twice within the budget. The same again changes nothing at the sidecar, so a lost answer may be resent."""
    deadline = time.monotonic() + settings.timeout_s
    webhook_id = f"msg_{uuid.uuid4().hex}"
    for attempt in range(1, MAX_TRIES + 1):
        is_last = attempt == MAX_TRIES
        try:
            answer = _post(settings, path, body, webhook_id, deadline)
            if is_last or (answer.status != 429 and answer.status < 500):
                return answer
        except (OSError, http.client.HTTPException) as error:
            if is_last or time.monotonic() + PAUSE_S >= deadline:
                raise _Unreachable(f"{type(error).__name__}: {_str(error)}") from error
        time.sleep(PAUSE_S)
    raise AssertionError("unreachable")


def _post(settings: _Settings, path: str, body: bytes, webhook_id: str, deadline: float) -> _Answer:
    url = settings.url
    is_https = url.scheme == "https"
    left = deadline - time.monotonic()
    # http.client knows no proxies: the sidecar is near, and a proxy from the environment must not see its token.
    connect = http.client.HTTPSConnection if is_https else http.client.HTTPConnection
    connection = connect(url.hostname or "", url.port or (443 if is_https else 80), timeout=max(left / 2, 0.05))
    try:
        connection.connect()
        connection.sock.settimeout(max(deadline - time.monotonic(), 0.05))
        headers = _headers(settings, webhook_id, body)
        connection.request("POST", f"{url.path.rstrip('/')}/v1/callbacks/{path}", body, headers)
        response = connection.getresponse()
        return _Answer(response.status, _json_object(response.read(MAX_ANSWER_BYTES)))
    finally:
        connection.close()


def _headers(settings: _Settings, webhook_id: str, body: bytes) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": f"dagain-airflow/{__version__}"}
    if settings.token:
        headers["Authorization"] = f"Bearer {settings.token}"
    if settings.secret:
        timestamp = str(int(time.time()))
        headers["webhook-id"] = webhook_id
        headers["webhook-timestamp"] = timestamp
        headers["webhook-signature"] = _signature(settings.secret, webhook_id, timestamp, body)
    return headers


def _signature(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    prefix = "whsec_"
    key = base64.b64decode(secret[len(prefix) :] + "==") if secret.startswith(prefix) else secret.encode()
    digest = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _json_object(raw: bytes) -> Any:
    try:
        parsed = json.loads(raw)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


# Settings


def _settings(conn_id: str | None) -> _Settings:
    secret, timeout_s = _secret("DAGAIN_WEBHOOK_SECRET"), _timeout_s()
    if conn_id is not None:
        url, token = _of_connection(conn_id)
        return _Settings(url, token, secret, timeout_s)
    url = _url((os.environ.get("DAGAIN_URL") or DEFAULT_URL).strip(), "DAGAIN_URL")
    return _Settings(url, _secret("DAGAIN_CALLBACK_TOKEN"), secret, timeout_s)


def _url(written: str, of: str) -> SplitResult:
    url = urlsplit(written)
    if url.scheme not in ("http", "https") or not url.hostname:
        # It may hold a password.
        shown = re.sub(r"(^|//)[^/]*@", r"\1***@", written)
        raise ValueError(f"{of} must be a URL such as {DEFAULT_URL}, is {shown!r}")
    return url


def _of_connection(conn_id: str) -> tuple[SplitResult, str | None]:
    hook = _from_airflow("airflow.sdk.bases.hook.BaseHook", "airflow.hooks.base.BaseHook")
    try:
        found = hook.get_connection(conn_id)
    except Exception as error:
        raise ValueError(f"the connection {conn_id!r} cannot be read: {_str(error)}") from error
    host = (found.host or "").strip()
    written = host if "://" in host else f"{found.schema or 'http'}://{host}"
    url = _url(written, f"the connection {conn_id!r}")
    if found.port and url.port is None:
        url = url._replace(netloc=f"{url.netloc}:{found.port}")
    return url, found.password or None


def _secret(name: str) -> str | None:
    """Read anew for each callback, so that a file can be rotated. Of several, as the sidecar takes them, the first."""
    value = os.environ.get(name)
    file = os.environ.get(f"{name}_FILE")
    if not value and file:
        with open(file, encoding="utf-8") as opened:
            value = opened.read()
    return (value or "").split(",")[0].strip() or None


def _timeout_s() -> float:
    written = (os.environ.get("DAGAIN_TIMEOUT") or "").strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?", written)
    if match is None:
        if written:
            log.warning("dagain: DAGAIN_TIMEOUT must be a duration such as 3s or 500ms, is %r", written)
        return DEFAULT_TIMEOUT_S
    seconds = float(match[1]) * {"ms": 0.001, "m": 60.0}.get(match[2] or "s", 1.0)
    return min(max(seconds, 0.1), MAX_TIMEOUT_S) if math.isfinite(seconds) else DEFAULT_TIMEOUT_S


# The plugin


def _hookimpl(function: _Function) -> _Function:
    return _HookimplMarker("airflow")(function) if _HookimplMarker else function


class _Outbox:
    """Reports on their way, sent by a thread that lives while there are any.

    Airflow never waits for it, but for `flush`. When it is full, reports are dropped and counted.
    """

    def __init__(self) -> None:
        self._forget()
        # What the parent was told, the parent sends; and its lock may be held for ever in the child.
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._changed = threading.Condition()
        self._waiting: collections.deque[tuple[str, dict[str, Any]]] = collections.deque()
        self._is_sending = False
        self._flushes_at_exit = False
        self._dropped = 0
        self._told_at = -math.inf

    def add(self, path: str, body: dict[str, Any]) -> None:
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                self._dropped += 1
            else:
                self._waiting.append((path, body))
            if not self._is_sending:
                self._flush_at_exit()
                threading.Thread(target=self._send_all, name="dagain-plugin", daemon=True).start()
                self._is_sending = True
        self._tell_drops()

    def flush(self) -> None:
        """Waits until everything is sent, for at most one delivery's time."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_sending, _timeout_s() + PAUSE_S)

    def _flush_at_exit(self) -> None:
        if not self._flushes_at_exit:
            # Not atexit: Airflow 2's Dag processor has children that end without it, and this covers both.
            multiprocessing.util.Finalize(None, self.flush, exitpriority=0)
            self._flushes_at_exit = True

    def _send_all(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._is_sending = False
                    self._changed.notify_all()
                    break
                path, body = self._waiting.popleft()
            _never_raise(_deliver, path, body)
        self._tell_drops()

    def _tell_drops(self) -> None:
        with self._changed:
            if self._dropped == 0 or time.monotonic() - self._told_at < TELL_DROPS_EVERY_S:
                return
            dropped, self._dropped, self._told_at = self._dropped, 0, time.monotonic()
        log.error("dagain: %d reports were dropped, because %d already wait: is the sidecar up?", dropped, MAX_WAITING)


class _Listener:
    """Turns what Airflow tells of every task and every run into reports.

    It runs in the scheduler, the API server and the task's own process: it reads only what is at hand, never asks the
    database, and leaves the sending to the outbox.
    """

    def __init__(self, outbox: _Outbox) -> None:
        self._outbox = outbox

    # Airflow 2 also offers the session: a hook takes what it names.
    @_hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        _never_raise(self._task_failed, previous_state, task_instance, error)

    @_hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        _never_raise(self._run_failed, dag_run, msg)

    @_hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        _never_raise(self._run_succeeded, dag_run)

    # A task's process ends without running exit handlers.
    @_hookimpl
    def before_stopping(self, component: Any) -> None:
        _never_raise(self._outbox.flush)

    def _task_failed(self, previous_state: Any, ti: Any, error: Any) -> None:
        task = _get(ti, "task")
        # Without a previous state it was a person who set the task to failed.
        if previous_state is None or not _has_failed_for_good(ti) or not _is_selected(ti, _get(task, "dag")):
            return
        context = {"ti": ti, "task": task, "dag_run": _run_of(ti), "exception": error}
        self._outbox.add("task-failed", _task_failed(context, {}, None))

    def _run_failed(self, run: Any, message: str) -> None:
        if not _is_selected(run, _get(run, "dag")):
            return
        reason = _reason(run, message)
        if reason is None:
            ids = (_get(run, "dag_id"), _get(run, "run_id"))
            log.info("dagain: run %s %s was set to failed by hand, so it is not reported", *ids)
            return
        self._outbox.add("run-failed", _run_failed({"dag_run": run, "reason": reason}, {}))

    def _run_succeeded(self, run: Any) -> None:
        if _is_selected(run, _get(run, "dag")):
            self._outbox.add("run-succeeded", _run_ids({"dag_run": run}))


def _is_selected(of_dag: Any, dag: Any) -> bool:
    dag_id, globs, wanted = str(_get(of_dag, "dag_id")), _list("DAGAIN_LISTENER_DAGS"), _list("DAGAIN_LISTENER_TAGS")
    if globs and not any(fnmatch.fnmatchcase(dag_id, glob) for glob in globs):
        return False
    # Tags that are not at hand select nothing: the scheduler knows them when it tells of the run.
    return not wanted or any(_text(tag) in wanted for tag in _get(dag, "tags") or ())


def _has_failed_for_good(ti: Any) -> bool:
    """Not when a retry of the task itself follows."""
    state = _text(_get(ti, "state"))
    if state is not None:
        return state == "failed"
    # 3.0.0 does not say.
    tries, max_tries = _int(_get(ti, "try_number")), _int(_get(ti, "max_tries"))
    return tries is not None and max_tries is not None and tries > max_tries


def _run_of(ti: Any) -> Any:
    """Where it is at hand: on Airflow 3 the worker was told, elsewhere a database might have to be asked."""
    told = _get(_get(ti, "_ti_context_from_server"), "dag_run")
    return told if told is not None else _get(_get(ti, "__dict__"), "dag_run")


def _reason(run: Any, message: str) -> str | None:
    """Why Airflow itself set the run to failed; None when a person did."""
    if message in ("task_failure", "all_tasks_deadlocked", "timed_out"):
        return message
    # Before 3.2 nothing is said of a time-out, and before 3.3 nothing of a person, who is heard where no Dag is at hand.
    limit, start = _get(_get(run, "dag"), "dagrun_timeout"), _get(run, "start_date")
    if message or not isinstance(limit, timedelta) or not isinstance(start, datetime):
        return None
    end = _get(run, "end_date") or datetime.now(timezone.utc)
    return "timed_out" if end - start >= limit else None


def _list(name: str) -> list[str]:
    return [part.strip() for part in (os.environ.get(name) or "").split(",") if part.strip()]


def _is_on(name: str) -> bool:
    written = (os.environ.get(name) or "false").strip().lower()
    if written not in ("true", "false"):
        log.error("dagain: %s must be true or false, is %r: taken for false", name, written)
    return written == "true"


class DagainPlugin(_AirflowPlugin or object):  # type: ignore[misc]
    """Found by Airflow in the plugins folder or through the installed package; does nothing unless DAGAIN_LISTENER=true."""

    name = "dagain"
    listeners = [_Listener(_Outbox())] if _is_on("DAGAIN_LISTENER") else []
