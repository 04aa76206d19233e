"""One object for failure and success, of tasks and of Dags; what needs an Airflow is in in_airflow."""

from __future__ import annotations

import copy
from datetime import timedelta
from types import SimpleNamespace

import pytest

import contexts
import dagain_airflow
from dagain_airflow import DagainNotifier, DoNotRetryDagRun

FAILED, SUCCEEDED = "/v1/callbacks/run-failed", "/v1/callbacks/run-succeeded"
TASK_FAILED = "/v1/callbacks/task-failed"


def v3(state, **overrides):
    return contexts.task_context_v3(ti=contexts.runtime_ti(state=state), **overrides)


def v2(state, exception):
    context = contexts.task_context_v2(exception)
    context["ti"].state = state
    if exception is None:
        del context["exception"]
    return context


def v3_succeeded(state):
    context = v3(state)
    context["exception"] = None
    return context


@pytest.mark.parametrize(
    ("context", "paths"),
    [
        (v3("failed"), [TASK_FAILED]),
        (v3("failed", exception=...), [TASK_FAILED]),  # 3.0.0 to 3.0.2
        (v3(...), [TASK_FAILED]),  # 3.0.0 on failure
        (v3_succeeded("success"), []),
        (v3_succeeded(...), []),
        (v3("up_for_retry"), []),  # on_retry_callback
        (v3("skipped"), []),
        (contexts.lost_task_context_v3(), [TASK_FAILED]),
        (v2("failed", "boom"), [TASK_FAILED]),
        (v2("running", "boom"), [TASK_FAILED]),
        (v2("success", None), []),
        (v2("up_for_retry", "boom"), []),
        (contexts.dag_context_v3("task_failure"), [FAILED]),
        (contexts.dag_context_v3("timed_out"), [FAILED]),
        (contexts.dag_context_v3("success"), [SUCCEEDED]),
        (contexts.dag_context_v2("all_tasks_deadlocked"), [FAILED]),
        (contexts.dag_context_v2("success"), [SUCCEEDED]),
        (contexts.dag_context_3_0_0("task_failure"), [FAILED]),
        (contexts.dag_context_3_0_0("success"), [SUCCEEDED]),
        ({"dag_run": contexts.dag_run(state="failed")}, [FAILED]),
        ({"dag_run": contexts.dag_run(state="success")}, [SUCCEEDED]),
    ],
)
def test_it_reports_what_happened(sidecar, context, paths):
    DagainNotifier()(context)
    assert sidecar.paths == paths


def test_it_takes_the_terms_of_a_callback(sidecar):
    notifier = DagainNotifier(retry={"max_retries": 5, "delay": timedelta(minutes=5)}, when=ConnectionError)
    notifier(contexts.task_context_v3(ConnectionResetError("x")))
    assert sidecar.body["retry"] == {"max_retries": 5, "delay": 300.0}


def test_when_is_asked_and_the_failing_code_wins(sidecar):
    DagainNotifier(when=ConnectionError)(contexts.task_context_v3(ValueError("x")))
    assert sidecar.body["retry"] == {"never_on": ["*"]}
    DagainNotifier(retry={"delay": 1})(contexts.task_context_v3(DoNotRetryDagRun("no")))
    assert b'"max_retries": 0' in sidecar.requests[1][2]


def test_terms_that_cannot_be_rendered_forbid_the_retry(sidecar, logged):
    context = contexts.task_context_v3()
    del context["dag"]
    DagainNotifier(retry={"delay": "{{ params.delay }}", "max_retries": 9})(context)
    assert sidecar.body["retry"] == {"max_retries": 0}
    assert "cannot be rendered" in logged.text


@pytest.mark.parametrize("options", [{"when": 3}, {"retry": {"delay": object()}}])
def test_a_mistake_in_the_options_shows_when_the_dag_is_parsed(options):
    with pytest.raises((TypeError, ValueError)):
        DagainNotifier(**options)


def test_airflow_may_copy_it(sidecar):
    copy.deepcopy(DagainNotifier(retry={"max_retries": 5}))(contexts.task_context_v3())
    assert sidecar.body["retry"] == {"max_retries": 5}


@pytest.mark.parametrize("args", [(), (None,), ({},), (3,), ("dag", "task_list", "blocking", "slas", "tis")])
def test_nothing_that_it_is_called_with_makes_it_raise(sidecar, args):
    DagainNotifier(retry={"delay": "{{ ds }}"})(*args)
    assert sidecar.requests == []


# Where the sidecar is


@pytest.fixture
def connection(monkeypatch):
    """What Airflow has under every connection id; an exception is raised."""
    known = {}

    class Hook:
        @staticmethod
        def get_connection(conn_id):
            found = known[conn_id]
            if isinstance(found, Exception):
                raise found
            empty = {"host": None, "port": None, "schema": None, "password": None, "login": None}
            return SimpleNamespace(**{**empty, **found})

    monkeypatch.setattr(dagain_airflow, "_from_airflow", lambda *_places: Hook)
    return known


def test_a_connection_wins_over_the_environment(sidecar, monkeypatch, connection):
    monkeypatch.setenv("DAGAIN_URL", "http://nowhere.invalid")
    monkeypatch.setenv("DAGAIN_CALLBACK_TOKEN", "of-the-environment")
    connection["dagain_default"] = {
        "host": "127.0.0.1",
        "port": sidecar.server.server_port,
        "schema": "http",
        "password": "of-the-connection",
    }
    DagainNotifier(dagain_conn_id="dagain_default")(contexts.task_context_v3())
    assert sidecar.requests[0][1]["authorization"] == "Bearer of-the-connection"


def test_the_environments_token_is_not_sent_to_a_connections_host(sidecar, monkeypatch, connection):
    monkeypatch.setenv("DAGAIN_CALLBACK_TOKEN", "of-the-environment")
    connection["c"] = {"host": sidecar.url}
    DagainNotifier(dagain_conn_id="c")(contexts.dag_context_v3("success"))
    assert "authorization" not in sidecar.requests[0][1]


@pytest.mark.parametrize(
    ("found", "url"),
    [
        ({"host": "sidecar"}, "http://sidecar"),
        ({"host": "sidecar", "port": 8484}, "http://sidecar:8484"),
        ({"host": "sidecar", "port": 8484, "schema": "https"}, "https://sidecar:8484"),
        ({"host": "https://sidecar/dagain", "schema": "http"}, "https://sidecar/dagain"),
        ({"host": "https://sidecar/dagain", "port": 8484}, "https://sidecar:8484/dagain"),
        ({"host": "http://sidecar:1", "port": 8484}, "http://sidecar:1"),
        ({"host": "[::1]", "port": 8484}, "http://[::1]:8484"),
    ],
)
def test_a_connection_makes_a_url(connection, found, url):
    connection["c"] = found
    assert dagain_airflow._settings("c").url.geturl() == url


@pytest.mark.parametrize("found", [{}, {"host": ""}, {"host": "x", "schema": "ftp"}, KeyError("no such connection")])
def test_a_connection_that_leads_nowhere_is_told_and_nothing_is_sent(sidecar, connection, logged, found):
    connection["c"] = found
    DagainNotifier(dagain_conn_id="c")(contexts.task_context_v3())
    assert sidecar.requests == []
    assert "task-failed of run etl r1 was not reported: the connection 'c'" in logged.text
