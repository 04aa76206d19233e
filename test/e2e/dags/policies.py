"""Dags that the policy of policy.e2e.ts is about. All fail at first; most succeed on the second attempt of the run."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

from dagain_airflow import DoNotRetryDagRun, RetryDagRun, on_failure, on_success

try:
    from airflow.sdk import DAG, get_current_context, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.operators.python import get_current_context

WIRED = {"on_failure_callback": on_failure}
TIMEOUT = timedelta(seconds=4)


class WrongInput(Exception):
    """Its module has a name that Airflow makes up."""


def make_dag(dag_id: str, tasks: Callable[[], Any], task_wiring: dict = WIRED, run_wiring: dict = WIRED, **options: Any):
    with DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        is_paused_upon_creation=False,
        default_args={"retries": 0, **task_wiring},
        on_success_callback=on_success,
        **run_wiring,
        **options,
    ):
        tasks()


def attempt() -> int:
    """Without retries of its own, a task's tries are the attempts of the run."""
    return get_current_context()["ti"].try_number


def chain() -> None:
    @task
    def prepare() -> None:
        pass

    @task
    def work() -> None:
        if attempt() == 1:
            raise ConnectionError("the first attempt fails")

    @task
    def finish() -> None:
        pass

    prepare() >> work() >> finish()


make_dag("again_all_tasks", chain)
make_dag("again_from_failure", chain)


def slow() -> None:
    @task
    def work() -> None:
        # Outlasts the time-out, but not by so much that anything of it is left when the run is cleared.
        end = get_current_context()["dag_run"].start_date + TIMEOUT + timedelta(seconds=3)
        time.sleep(max(0, (end - datetime.now(timezone.utc)).total_seconds()))

    work()


make_dag("out_of_time", slow, dagrun_timeout=TIMEOUT)


def publishing() -> None:
    def fail_if_asked(task_id: str) -> None:
        if attempt() == 1 and get_current_context()["dag_run"].conf.get("fail") == task_id:
            raise ConnectionError(f"{task_id} fails on its first attempt")

    @task
    def extract() -> None:
        fail_if_asked("extract")

    @task
    def publish_report() -> None:
        fail_if_asked("publish_report")

    extract() >> publish_report()


make_dag("only_publish_tasks", publishing)


def refusing() -> None:
    @task
    def refuse() -> None:
        raise DoNotRetryDagRun("another attempt will not help")

    @task
    def fail() -> None:
        raise ConnectionError("another attempt may help")

    refuse()
    fail()


make_dag("refuses_a_retry", refusing)


def dying() -> None:
    @task
    def work() -> None:
        if attempt() == 1:
            raise ConnectionError("the first attempt fails")
        if attempt() == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    work()


# Without callbacks of the Dag: on Airflow 3 nothing at all tells of the killed task.
make_dag("killed", dying, run_wiring={})


def failing_with(exception: Exception) -> Callable[[], None]:
    def tasks() -> None:
        @task
        def work() -> None:
            raise exception

        work()

    return tasks


make_dag("asks_for_a_retry", failing_with(RetryDagRun("not there yet", max_retries=1, delay="1s")))
make_dag("tagged", failing_with(ValueError("never")), tags=["dagain/max_retries=1", "dagain/delay=1s", "team-a"])
make_dag("dag_level_callbacks", failing_with(ValueError("never")), task_wiring={})
make_dag("never_on_wrong_input", failing_with(WrongInput("no attempt will be better")))
make_dag("ignored_operator", failing_with(ValueError("never")))
make_dag("cap_lowered_meanwhile", failing_with(ValueError("never")))
