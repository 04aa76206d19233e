"""A Dag whose runs dagain retries as a whole. Runs on Airflow 2.10 to 3.3.

1. Put `dagain_airflow.py` in the plugins folder (or `pip install` this folder) and this file in the dags folder.
2. Tell the workers and the Dag processor where the sidecar is: DAGAIN_URL, and DAGAIN_CALLBACK_TOKEN if it asks for one.
3. Trigger the Dag. Its first two attempts fail in `publish`, the third succeeds, and it is one run all along.
"""

from __future__ import annotations

from datetime import datetime, timezone

from dagain_airflow import DagainNotifier, DoNotRetryDagRun, RetryDagRun

try:
    from airflow.sdk import dag, get_current_context, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.operators.python import get_current_context


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # The policy of this Dag, where everybody sees it. All keys are in the sidecar's documentation.
    tags=["dagain/max_retries=2", "dagain/delay=10s"],
    # Every task: its failure is reported at once.
    default_args={"on_failure_callback": DagainNotifier(), "retries": 0},
    # The run: also reported when a task was killed and could not say so itself.
    on_failure_callback=DagainNotifier(),
    # The run: ends the watching. Without it the sidecar still notices, at its next sweep.
    on_success_callback=DagainNotifier(),
)
def dagain_example() -> None:
    @task
    def extract() -> int:
        return 3

    # One task may have terms of its own: here, only this error is worth another attempt of the run.
    @task(on_failure_callback=DagainNotifier(when=ConnectionError))
    def publish(rows: int) -> None:
        if rows < 1:
            # No attempt will be better: the run stays failed, and the alert goes out now.
            raise DoNotRetryDagRun("there is nothing to publish")
        attempt = get_current_context()["ti"].try_number
        if attempt == 1:
            raise ConnectionError("the warehouse did not answer")
        if attempt == 2:
            # The failing code may set the terms itself.
            raise RetryDagRun("the warehouse asks for a pause", delay="30s")

    publish(extract())


dagain_example()
