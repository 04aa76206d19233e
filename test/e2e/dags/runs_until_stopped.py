"""Runs until a person stops it."""

from __future__ import annotations

import time
from datetime import datetime, timezone

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    is_paused_upon_creation=False,
    default_args={"retries": 0},
)
def runs_until_stopped() -> None:
    @task
    def work() -> None:
        time.sleep(300)

    work()


runs_until_stopped()
