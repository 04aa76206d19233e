"""The contexts that real Airflows were seen to hand over, without Airflow."""

from __future__ import annotations

import enum
import uuid
from collections.abc import MutableMapping
from datetime import datetime, timezone
from types import SimpleNamespace

TI_ID = uuid.UUID("01a1fbcb-bea6-702d-a69c-60a478111b7b")
STARTED = datetime(2026, 11, 21, 1, 44, 6, 38111, tzinfo=timezone.utc)
ENDED = datetime(2026, 11, 21, 1, 44, 7, 625054, tzinfo=timezone.utc)


class DagRunType(str, enum.Enum):
    MANUAL = "manual"


class TaskInstanceState(str, enum.Enum):
    FAILED = "failed"


class RuntimeTaskInstance:
    """Of the Task SDK: pydantic, so that a field that was never set raises AttributeError."""

    __module__ = "airflow.sdk.execution_time.task_runner"

    def __init__(self, **fields):
        self.__dict__.update(fields)


class Context(MutableMapping):
    """Airflow 2 hands over a mapping that is no dict."""

    def __init__(self, **entries):
        self._entries = entries

    def __getitem__(self, key):
        return self._entries[key]

    def __setitem__(self, key, value):
        self._entries[key] = value

    def __delitem__(self, key):
        del self._entries[key]

    def __iter__(self):
        return iter(self._entries)

    def __len__(self):
        return len(self._entries)


class Detached:
    """An ORM object whose session is closed: every unloaded attribute raises."""

    def __init__(self, **loaded):
        self.__dict__.update(loaded)

    def __getattr__(self, name):
        raise RuntimeError(f"{name}: the instance is not bound to a session")


DAG = SimpleNamespace(dag_id="etl")
TASK = SimpleNamespace(task_id="load", task_type="PythonOperator", dag_id="etl", retries=0)


def runtime_ti(**overrides):
    fields = {
        "id": TI_ID,
        "task_id": "load",
        "dag_id": "etl",
        "run_id": "r1",
        "map_index": -1,
        "try_number": 2,
        "max_tries": 1,
        "start_date": STARTED,
        "end_date": ENDED,
        "state": TaskInstanceState.FAILED,
        "log_url": "http://airflow/dags/etl/runs/r1/tasks/load?try_number=2",
        "hostname": "worker",
        **overrides,
    }
    return RuntimeTaskInstance(**{key: value for key, value in fields.items() if value is not ...})


def dag_run(**overrides):
    fields = {
        "dag_id": "etl",
        "run_id": "r1",
        "run_type": DagRunType.MANUAL,
        "state": "running",
        "start_date": STARTED,
        "end_date": None,
        "clear_number": 1,
        "conf": {},
    }
    return SimpleNamespace(**{**fields, **overrides})


def task_context_v3(exception: object = None, **overrides):
    """Airflow 3.0.3 and later, in the worker."""
    ti = runtime_ti()
    entries = {
        "dag": DAG,
        "dag_run": dag_run(),
        "exception": exception if exception is not None else ValueError("boom"),
        "run_id": "r1",
        "task": TASK,
        "task_instance": ti,
        "ti": ti,
        **overrides,
    }
    return {key: value for key, value in entries.items() if value is not ...}


def lost_task_context_v3():
    """Airflow 3, in the Dag processor, for a task whose heartbeat was lost."""
    ti = runtime_ti(start_date=..., state=None, end_date=None)
    return task_context_v3(exception=..., ti=ti, task_instance=ti)


def task_context_v2(exception: object = "boom", **overrides):
    """Airflow 2.10 and 2.11: ORM objects. `exception` is a text where the Dag processor calls back."""
    ti = SimpleNamespace(
        task_id="load",
        dag_id="etl",
        run_id="r1",
        map_index=-1,
        try_number=1,
        max_tries=0,
        operator="PythonOperator",
        start_date=STARTED,
        end_date=ENDED,
        state="failed",
        log_url="http://airflow/dags/etl/grid?dag_run_id=r1&task_id=load",
    )
    entries = {"dag": DAG, "dag_run": dag_run(run_type="manual", clear_number=0), "run_id": "r1", "task": TASK}
    return Context(**{**entries, "ti": ti, "task_instance": ti, "exception": exception, **overrides})


def dag_context_v3(reason: str, **overrides):
    """Airflow 3.1 and later: it holds a task instance too, of whichever task ended last."""
    ti = runtime_ti(start_date=..., state=None, end_date=None)
    run = dag_run(state="failed", end_date=ENDED)
    return {"dag": DAG, "dag_run": run, "reason": reason, "run_id": "r1", "task": TASK, "ti": ti, **overrides}


def dag_context_v2(reason: str):
    context = task_context_v2()
    del context["exception"]
    context["reason"] = reason
    return context


def dag_context_3_0_0(reason: str):
    return {"dag": DAG, "run_id": "r1", "reason": reason}
