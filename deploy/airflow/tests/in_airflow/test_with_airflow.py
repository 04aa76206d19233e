"""What only a real Airflow can show; run inside one by test/e2e/package.e2e.ts, with the package installed there.

DAGAIN_INSTALLED is the folder that pip installed the package into.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

import contexts
import dagain_airflow
from conftest import SOURCES
from dagain_airflow import DagainNotifier

try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # Before 3.2
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization

try:
    from airflow.sdk import DAG, BaseNotifier
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.notifications.basenotifier import BaseNotifier

INSTALLED = os.environ["DAGAIN_INSTALLED"]
AIRFLOW = str(Path(sys.executable).parent / "airflow")


def a_dag(**options):
    return DAG("etl", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), **options)


# The notifier


def test_it_is_one_of_airflows_own():
    assert issubclass(DagainNotifier, BaseNotifier)
    assert set(DagainNotifier.template_fields) == {"retry", "dagain_conn_id"}


def test_a_dag_takes_it(sidecar):
    dag = a_dag(on_failure_callback=DagainNotifier(), default_args={"on_failure_callback": [DagainNotifier()]})
    callback = dag.on_failure_callback
    (callback if callable(callback) else callback[0])(contexts.dag_context_v3("task_failure"))
    assert sidecar.paths == ["/v1/callbacks/run-failed"]


def test_its_terms_are_templates(sidecar):
    notifier = DagainNotifier(retry={"max_retries": "{{ conf_retries }}", "delay": "{{ pause }}m", "jitter": "none"})
    for pause in (5, 7):
        notifier(contexts.task_context_v3(dag=a_dag(), conf_retries=3, pause=pause))
    terms = [json.loads(raw)["retry"] for _, _, raw in sidecar.requests]
    # Rendered anew each time: Airflow keeps one notifier for all tasks of a Dag.
    assert terms == [{"max_retries": 3, "delay": f"{pause}m", "jitter": "none"} for pause in (5, 7)]


def test_a_mapping_that_is_no_dict_can_be_rendered(sidecar):
    notifier = DagainNotifier(retry={"delay": "{{ run_id }}m"})
    notifier(contexts.task_context_v2(dag=a_dag()))
    assert sidecar.body["retry"] == {"delay": "r1m"}


def test_a_template_that_raises_forbids_the_retry(sidecar, logged):
    notifier = DagainNotifier(retry={"delay": "{{ 1 / 0 }}", "max_retries": 5})
    notifier(contexts.task_context_v3(dag=a_dag()))
    assert sidecar.body["retry"] == {"max_retries": 0}
    assert "cannot be rendered" in logged.text


def test_a_connection_of_airflows_says_where_the_sidecar_is(sidecar, monkeypatch):
    monkeypatch.setenv("DAGAIN_URL", "http://nowhere.invalid")
    monkeypatch.setenv("AIRFLOW_CONN_DAGAIN_DEFAULT", f"http://:the-token@{sidecar.url.removeprefix('http://')}")
    DagainNotifier(dagain_conn_id="dagain_{{ which }}")(contexts.task_context_v3(dag=a_dag(), which="default"))
    assert sidecar.requests[0][1]["authorization"] == "Bearer the-token"


def test_a_connection_that_airflow_does_not_have_is_told(sidecar, logged):
    DagainNotifier(dagain_conn_id="dagain_unheard_of")(contexts.task_context_v3(dag=a_dag()))
    assert sidecar.requests == []
    assert "the connection 'dagain_unheard_of' cannot be read" in logged.text


# The plugin


@pytest.fixture
def airflow(tmp_path, sidecar):
    """Runs a command with the plugin where Airflow looks for it, and switched on."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    env = {**os.environ, "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins), "PYTHONWARNINGS": "ignore"}
    env.update(DAGAIN_LISTENER="true", DAGAIN_URL=sidecar.url, PYTHONPATH="")

    def run(*command, copied=True, installed=False, **more):
        if copied:
            shutil.copy(SOURCES / "dagain_airflow.py", plugins)
        if installed:
            more["PYTHONPATH"] = INSTALLED
        done = subprocess.run(command, env={**env, **more}, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_airflow_lists_the_plugin(airflow):
    shown = airflow(AIRFLOW, "plugins", "--output", "json", copied=False, installed=True)
    # Airflow's log may stand before it.
    plugins = json.loads(shown[shown.index("[{") :])
    (ours,) = [plugin for plugin in plugins if plugin["name"] == "dagain"]
    assert "_Listener" in str(ours)


REPORTS = """
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace as Thing
from airflow.listeners.listener import get_listener_manager

hook = get_listener_manager().hook
now = datetime.now(timezone.utc)
dag = Thing(dag_id="etl", tags=set(), dagrun_timeout=None)
ti = Thing(dag_id="etl", run_id="r1", task_id="load", state="failed", task=Thing(dag=dag))
run = Thing(dag_id="etl", run_id="r1", start_date=now, end_date=now, dag=dag)
session = {"session": None} if "session" in hook.on_task_instance_failed.spec.argnames else {}
hook.on_task_instance_failed(previous_state="running", task_instance=ti, error=ValueError("boom"), **session)
hook.on_dag_run_failed(dag_run=run, msg="task_failure")
hook.on_dag_run_success(dag_run=run, msg="success")
"""


@pytest.mark.parametrize(("copied", "installed"), [(True, False), (False, True), (True, True)])
def test_airflows_own_hooks_reach_the_sidecar(airflow, sidecar, copied, installed):
    airflow(sys.executable, "-c", REPORTS, copied=copied, installed=installed)
    assert sidecar.paths == [f"/v1/callbacks/{name}" for name in ("task-failed", "run-failed", "run-succeeded")]


WORKER = REPORTS.replace("airflow.listeners.listener", "airflow.sdk.listener").partition("hook.on_dag_run_failed")[0]


def test_and_so_do_those_of_a_worker_where_it_has_its_own(airflow, sidecar):
    has_its_own = (
        "import importlib.util as u; print(u.find_spec('airflow.sdk') and u.find_spec('airflow.sdk.listener'))"
    )
    expected = [] if airflow(sys.executable, "-c", has_its_own).strip() == "None" else ["/v1/callbacks/task-failed"]
    if expected:
        airflow(sys.executable, "-c", WORKER)
    assert sidecar.paths == expected


def test_switched_off_it_says_nothing(airflow, sidecar):
    airflow(sys.executable, "-c", REPORTS, DAGAIN_LISTENER="false")
    assert sidecar.requests == []


@pytest.mark.parametrize("as_in_the_scheduler", [False, True])
def test_airflows_dags_say_their_tags_and_their_time(monkeypatch, as_in_the_scheduler):
    dag = a_dag(tags=["team-a"], dagrun_timeout=timedelta(seconds=1))
    if as_in_the_scheduler:
        dag = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    run = SimpleNamespace(dag_id="etl", dag=dag, start_date=contexts.STARTED, end_date=contexts.ENDED)
    assert dagain_airflow._reason(run, "") == "timed_out"
    for tag, fits in (("team-a", True), ("team-b", False)):
        monkeypatch.setenv("DAGAIN_LISTENER_TAGS", tag)
        assert dagain_airflow._is_selected(run, dag) is fits


def test_the_module_under_test_is_the_one_of_this_repository():
    assert Path(dagain_airflow.__file__).parent == SOURCES
