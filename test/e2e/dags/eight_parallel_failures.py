"""On the first attempt eight parallel tasks fail one after the other, while a slow sibling keeps the run running."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from dagain_airflow import on_failure, on_success

try:
    from airflow.sdk import dag, get_current_context, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.operators.python import get_current_context

FAILURES = 8
GAP_S = 0.1
SLOW_S = 3


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_tasks=FAILURES + 1,
    default_args={"on_failure_callback": on_failure, "retries": 0},
    on_failure_callback=on_failure,
    on_success_callback=on_success,
)
def eight_parallel_failures() -> None:
    # Started first: its weight puts it before the others.
    @task(priority_weight=10)
    def slow() -> None:
        time.sleep(SLOW_S)

    def fail(number: int) -> None:
        time.sleep(number * GAP_S)
        if get_current_context()["ti"].try_number == 1:
            raise RuntimeError(f"failure {number} of the first attempt")

    slow()
    for number in range(1, FAILURES + 1):
        task(task_id=f"fail_{number}")(fail)(number)


eight_parallel_failures()
