"""Every shape of context names the run, whatever is missing from it."""

from __future__ import annotations

import json

import pytest

import contexts
from dagain_airflow import DagainNotifier, dagain_callback, on_failure, on_success

EXCEPTION = [ValueError("boom"), ...]
RUN = [{}, {"dag_run": ...}, {"dag_run": None}, {"dag_run": contexts.Detached()}]
CALLBACKS = [on_failure, dagain_callback(retry={"delay": 1}), DagainNotifier()]


def without(context, *keys):
    for key in keys:
        context.pop(key, None)
    return context


def dag_contexts(reason):
    yield contexts.dag_context_v3(reason)
    yield contexts.dag_context_v2(reason)
    yield contexts.dag_context_3_0_0(reason)
    # The ids are then the task instance's.
    yield contexts.dag_context_v3(reason, dag_run=None)
    yield without(contexts.dag_context_v3(reason), "dag_run", "dag", "run_id")
    yield without(contexts.dag_context_v3(reason), "ti", "task", "run_id", "dag")
    yield without(contexts.dag_context_v2(reason), "dag_run", "dag", "run_id")


def sent(sidecar):
    assert len(sidecar.requests) == 1
    return json.loads(sidecar.requests[0][2])


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("run", RUN, ids=["with", "without", "None", "detached"])
@pytest.mark.parametrize("exception", EXCEPTION, ids=["exception", "no exception"])
@pytest.mark.parametrize("rest", [(), ("dag", "run_id"), ("dag", "run_id", "task"), ("dag", "run_id", "task", "ti")])
def test_a_task_of_airflow_3(sidecar, exception, run, rest, callback):
    callback(without(contexts.task_context_v3(exception, **run), *rest))
    body = sent(sidecar)
    assert (body["dag_id"], body["dag_run_id"], body["task_id"]) == ("etl", "r1", "load")


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("missing", [(), ("dag_run",), ("exception",), ("dag_run", "exception", "dag", "run_id", "ti")])
def test_a_task_of_airflow_2(sidecar, missing, callback):
    callback(without(contexts.task_context_v2(), *missing))
    body = sent(sidecar)
    assert (body["dag_id"], body["dag_run_id"], body["task_id"]) == ("etl", "r1", "load")


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("missing", [(), ("dag_run",), ("dag_run", "dag", "run_id", "task")])
def test_a_task_that_the_dag_processor_reports(sidecar, missing, callback):
    callback(without(contexts.lost_task_context_v3(), *missing))
    body = sent(sidecar)
    assert (body["dag_id"], body["dag_run_id"], body["task_id"]) == ("etl", "r1", "load")
    assert body["failure_class"] == "infra"


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("shape", range(7))
@pytest.mark.parametrize("reason", ["task_failure", "all_tasks_deadlocked", "timed_out"])
def test_a_dag_that_failed(sidecar, reason, shape, callback):
    callback(list(dag_contexts(reason))[shape])
    assert sidecar.paths == ["/v1/callbacks/run-failed"]
    body = sent(sidecar)
    assert (body["dag_id"], body["dag_run_id"], body["reason"]) == ("etl", "r1", reason)


@pytest.mark.parametrize("callback", [on_success, DagainNotifier()])
@pytest.mark.parametrize("shape", range(7))
def test_a_dag_that_succeeded(sidecar, shape, callback):
    callback(list(dag_contexts("success"))[shape])
    assert sidecar.paths == ["/v1/callbacks/run-succeeded"]
    assert sent(sidecar) == {"dag_id": "etl", "dag_run_id": "r1"}
