"""Fails on the first two attempts of the run and succeeds on the third."""

from __future__ import annotations

from datetime import datetime, timezone

from dagain_airflow import on_failure, on_success

try:
    from airflow.sdk import dag, get_current_context, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.operators.python import get_current_context


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    is_paused_upon_creation=False,
    default_args={"on_failure_callback": on_failure, "retries": 0},
    on_failure_callback=on_failure,
    on_success_callback=on_success,
)
def fail_twice_then_succeed() -> None:
    @task
    def prepare() -> None:
        pass

    @task
    def work() -> None:
        # Without retries of its own, a task's tries are the attempts of the run.
        attempt = get_current_context()["ti"].try_number
        if attempt <= 2:
            raise ConnectionError(f"attempt {attempt} fails")

    prepare() >> work()


fail_twice_then_succeed()
