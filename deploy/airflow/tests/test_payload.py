"""What is sent for every shape of context."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest

import contexts
from dagain_airflow import on_failure, on_success


def test_a_task_failure_of_airflow_3_sends_every_field_of_the_contract(sidecar):
    on_failure(contexts.task_context_v3(ValueError("boom")))
    assert sidecar.paths == ["/v1/callbacks/task-failed"]
    assert sidecar.body == {
        "dag_id": "etl",
        "dag_run_id": "r1",
        "task_id": "load",
        "map_index": -1,
        "try_number": 2,
        "max_tries": 1,
        "task_instance_id": str(contexts.TI_ID),
        "operator": "PythonOperator",
        "exception": {"type": "ValueError", "message": "boom"},
        "failed_at": "2026-11-21T01:44:07.625054+00:00",
        "log_url": "http://airflow/dags/etl/runs/r1/tasks/load?try_number=2",
        "dag_run": {"start_date": "2026-11-21T01:44:06.038111+00:00", "clear_number": 1, "run_type": "manual"},
    }


def test_airflow_3_0_0_to_3_0_2_know_no_exception(sidecar):
    on_failure(contexts.task_context_v3(exception=...))
    assert sidecar.paths == ["/v1/callbacks/task-failed"]
    assert "exception" not in sidecar.body
    assert "failure_class" not in sidecar.body


def test_without_a_dag_run_the_task_instance_names_the_run(sidecar):
    on_failure(contexts.task_context_v3(dag_run=..., run_id=..., dag=...))
    body = sidecar.body
    assert (body["dag_id"], body["dag_run_id"], body["task_id"]) == ("etl", "r1", "load")
    assert "dag_run" not in body


def test_airflow_2_has_orm_objects_no_id_and_text_for_an_exception(sidecar):
    on_failure(contexts.task_context_v2("boom"))
    body = sidecar.body
    assert body["exception"] == {"message": "boom"}
    assert body["operator"] == "PythonOperator"
    assert body["dag_run"]["run_type"] == "manual"
    assert "task_instance_id" not in body
    assert "failure_class" not in body


def test_a_dag_run_like_a_dict_is_read_by_its_keys(sidecar):
    run = {"dag_id": "other", "run_id": "r9", "start_date": "2026-01-01T00:00:00Z", "clear_number": 3}
    on_failure(contexts.task_context_v3(dag_run=run))
    assert (sidecar.body["dag_id"], sidecar.body["dag_run_id"]) == ("other", "r9")
    assert sidecar.body["dag_run"] == {"start_date": "2026-01-01T00:00:00+00:00", "clear_number": 3}


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (datetime(2026, 1, 1, 12), "2026-01-01T12:00:00+00:00"),
        (datetime.fromisoformat("2026-01-01T12:00:00+02:00"), "2026-01-01T10:00:00+00:00"),
        ("2026-01-01T12:00:00.500+00:00", "2026-01-01T12:00:00.500000+00:00"),
        ("2026-01-01 12:00:00", "2026-01-01T12:00:00+00:00"),
        ("soon", None),
        (None, None),
        (12, None),
    ],
)
def test_dates_of_any_kind_are_sent_in_utc_or_not_at_all(sidecar, written, sent):
    on_failure(contexts.task_context_v3(dag_run=contexts.dag_run(start_date=written)))
    assert sidecar.body["dag_run"].get("start_date") == sent


def test_a_missing_end_date_becomes_now(sidecar):
    on_failure(contexts.task_context_v3(ti=contexts.runtime_ti(end_date=None)))
    age = datetime.now().astimezone() - datetime.fromisoformat(sidecar.body["failed_at"])
    assert abs(age.total_seconds()) < 10


class Outer:
    class Inner(Exception):
        pass


@pytest.mark.parametrize(
    ("exception", "name"),
    [
        (KeyError("x"), "KeyError"),
        (Outer.Inner("x"), f"{__name__}.Outer.Inner"),
    ],
)
def test_the_type_is_the_dotted_name_without_builtins(sidecar, exception, name):
    on_failure(contexts.task_context_v3(exception))
    assert sidecar.body["exception"]["type"] == name


def test_a_long_message_is_cut_at_2000_characters(sidecar):
    on_failure(contexts.task_context_v3(ValueError("é" * 5000)))
    message = sidecar.body["exception"]["message"]
    assert len(message) == 2000
    assert message.endswith("é…")


def test_a_message_that_is_no_text_at_all_still_arrives(sidecar):
    on_failure(contexts.task_context_v3(ValueError("\udc80 \x00 ☃")))
    assert sidecar.body["exception"]["message"] == "\udc80 \x00 ☃"


# The two levels


@pytest.mark.parametrize("context", [contexts.dag_context_v3, contexts.dag_context_v2, contexts.dag_context_3_0_0])
@pytest.mark.parametrize("reason", ["task_failure", "timed_out", "all_tasks_deadlocked"])
def test_a_dag_level_failure_is_the_runs(sidecar, context, reason):
    on_failure(context(reason))
    assert sidecar.paths == ["/v1/callbacks/run-failed"]
    body = sidecar.body
    assert (body["dag_id"], body["dag_run_id"], body["reason"]) == ("etl", "r1", reason)
    assert not {"task_id", "task_instance_id", "try_number", "operator", "log_url"} & body.keys()


def test_a_dag_level_failure_says_when_the_run_ended(sidecar):
    on_failure(contexts.dag_context_v3("task_failure"))
    assert sidecar.body["failed_at"] == "2026-11-21T01:44:07.625054+00:00"
    assert sidecar.body["dag_run"]["clear_number"] == 1


def test_a_reason_that_the_contract_does_not_know_is_left_out(sidecar):
    on_failure(contexts.dag_context_v3("some new reason"))
    assert sidecar.paths == ["/v1/callbacks/run-failed"]
    assert "reason" not in sidecar.body


@pytest.mark.parametrize("context", [contexts.dag_context_v3, contexts.dag_context_v2, contexts.dag_context_3_0_0])
def test_a_dag_level_success_is_the_runs(sidecar, context):
    on_success(context("success"))
    assert sidecar.paths == ["/v1/callbacks/run-succeeded"]
    assert sidecar.body == {"dag_id": "etl", "dag_run_id": "r1"}


@pytest.mark.parametrize("context", [contexts.task_context_v3, contexts.task_context_v2])
def test_a_task_level_success_is_not_the_runs(sidecar, context):
    on_success(context())
    assert sidecar.requests == []


# What kind of failure it was


def airflow_exception(name):
    return type(name, (Exception,), {"__module__": "airflow.exceptions"})


TaskTimeout = type("AirflowTaskTimeout", (BaseException,), {"__module__": "airflow.sdk.exceptions"})
MyTimeout = type("MyTimeout", (airflow_exception("AirflowSensorTimeout"),), {})
ZOMBIE = "{'DAG Id': 'etl', 'Task Id': 'load', 'Run Id': 'r1', 'Hostname': 'worker'}"
MISMATCH = "Executor X reported that the task instance T finished with state failed, but the task instance's state is.."


@pytest.mark.parametrize(
    ("exception", "failure_class"),
    [
        (TaskTimeout("Timeout, PID: 1"), "timeout"),
        (MyTimeout(), "timeout"),
        (airflow_exception("AirflowTaskTerminated")(), "infra"),
        (airflow_exception("AirflowException")("Task received SIGTERM signal"), "infra"),
        ("Task killed externally", "infra"),
        ("Detected zombie job", "infra"),
        ("Task did not send a heartbeat", "infra"),
        ("Process was ended by SIGKILL", "infra"),
        (ZOMBIE, "infra"),
        (MISMATCH, "infra"),
        (airflow_exception("AirflowException")("no such file"), None),
        (ValueError("the heartbeat of the patient: zombie"), None),
        ("boom", None),
    ],
)
def test_the_failure_class_is_sent_only_when_it_is_certain(sidecar, exception, failure_class):
    on_failure(contexts.task_context_v3(exception))
    assert sidecar.body.get("failure_class") == failure_class


def test_a_task_that_the_dag_processor_reports_was_lost(sidecar):
    on_failure(contexts.lost_task_context_v3())
    assert sidecar.paths == ["/v1/callbacks/task-failed"]
    assert sidecar.body["failure_class"] == "infra"


@pytest.mark.parametrize(
    "context",
    [
        # 3.0.0 puts neither state nor end on the task instance, and knows no exception: it ran all the same.
        contexts.task_context_v3(exception=..., ti=contexts.runtime_ti(state=..., end_date=...)),
        contexts.task_context_v3(ti=contexts.runtime_ti(state=None, start_date=...)),
    ],
    ids=["3.0.0", "not started but failed"],
)
def test_a_task_that_reports_itself_was_not_lost(sidecar, context):
    on_failure(context)
    assert "failure_class" not in sidecar.body


def test_a_task_instance_without_a_task_is_enough(sidecar):
    ti = SimpleNamespace(dag_id="etl", run_id="r1", task_id="load")
    on_failure({"task_instance": ti})
    assert sidecar.body.keys() == {"dag_id", "dag_run_id", "task_id", "failed_at"}
