"""Eleven ways in which a run goes. Nothing in here knows of dagain."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

try:
    from airflow.sdk import DAG, get_current_context, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.operators.python import get_current_context

# Long enough for the second attempt also where other tests keep the machine busy.
TIMEOUT = timedelta(seconds=60)
FOR_EVER_S = 300


def make_dags(prefix: str, task_wiring: dict[str, Any], run_wiring: dict[str, Any]) -> None:
    for tasks, options in DAGS:
        with DAG(
            f"{prefix}_{tasks.__name__}",
            schedule=None,
            start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
            catchup=False,
            is_paused_upon_creation=False,
            default_args={"retries": 0, **task_wiring},
            **run_wiring,
            **options,
        ):
            tasks()


def is_first_attempt() -> bool:
    return get_current_context()["dag_run"].clear_number == 0


def fail_at_first(what: str) -> None:
    if is_first_attempt():
        raise ConnectionError(f"{what} fails on the first attempt of the run")


def succeeds() -> None:
    @task
    def work() -> None:
        pass

    work()


def fails_once() -> None:
    @task
    def prepare() -> None:
        pass

    @task
    def work() -> None:
        fail_at_first("work")

    @task
    def finish() -> None:
        pass

    prepare() >> work() >> finish()


def fails_for_ever() -> None:
    @task
    def work() -> None:
        raise ValueError("it never works")

    work()


def fails_in_parallel() -> None:
    def work(number: int) -> None:
        fail_at_first(f"work {number}")

    for number in range(4):
        task(task_id=f"work_{number}")(work)(number)


def has_task_retries() -> None:
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def work() -> None:
        fail_at_first("each of the task's own tries")

    work()


def is_mapped() -> None:
    @task
    def work(number: int) -> None:
        if number == 1:
            fail_at_first("one of three")

    work.expand(number=[0, 1, 2])


def is_rescued() -> None:
    @task
    def work() -> None:
        raise ValueError("what follows makes good for it")

    @task(trigger_rule="all_done")
    def rescue() -> None:
        pass

    work() >> rescue()


def is_killed() -> None:
    @task
    def work() -> None:
        if is_first_attempt():
            os.kill(os.getpid(), signal.SIGKILL)

    work()


def runs_out_of_time() -> None:
    # Before all others: it must start within its time.
    @task(priority_weight=100)
    def work() -> None:
        if is_first_attempt():
            # Outlasts the time-out, but not by so much that anything of it is left when the run is cleared.
            end = get_current_context()["dag_run"].start_date + TIMEOUT + timedelta(seconds=3)
            time.sleep(max(0, (end - datetime.now(timezone.utc)).total_seconds()))

    work()


def is_stopped_by_hand() -> None:
    @task
    def work() -> None:
        time.sleep(FOR_EVER_S)

    work()


def is_stopped_by_hand_and_complains() -> None:
    @task
    def work() -> None:
        def complain(*_args: object) -> None:
            raise RuntimeError("whatever was running in it was ended")

        signal.signal(signal.SIGTERM, complain)
        time.sleep(FOR_EVER_S)

    work()


DAGS: list[tuple[Callable[[], None], dict[str, Any]]] = [
    (succeeds, {}),
    (fails_once, {}),
    (fails_for_ever, {}),
    (fails_in_parallel, {}),
    (has_task_retries, {}),
    (is_mapped, {}),
    (is_rescued, {}),
    (is_killed, {}),
    (runs_out_of_time, {"dagrun_timeout": TIMEOUT}),
    (is_stopped_by_hand, {}),
    (is_stopped_by_hand_and_complains, {}),
]
