"""Fails on every attempt of the run."""

from __future__ import annotations

from datetime import datetime, timezone

from dagain_airflow import on_failure, on_success

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    is_paused_upon_creation=False,
    default_args={"on_failure_callback": on_failure, "retries": 0},
    on_failure_callback=on_failure,
    on_success_callback=on_success,
)
def fail_for_ever() -> None:
    @task
    def work() -> None:
        raise ValueError("it never works")

    work()


fail_for_ever()
