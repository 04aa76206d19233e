"""The listener: what it tells of each event, that it holds nothing up, and that nothing is lost at the end of a process."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pluggy
import pytest

import contexts
import dagain_airflow

MODULE = Path(dagain_airflow.__file__)
hookspec = pluggy.HookspecMarker("airflow")


class SpecOfAirflow3:
    @hookspec
    def on_task_instance_failed(self, previous_state, task_instance, error): ...

    @hookspec
    def on_dag_run_failed(self, dag_run, msg): ...

    @hookspec
    def on_dag_run_success(self, dag_run, msg): ...

    @hookspec
    def before_stopping(self, component): ...


class SpecOfAirflow2(SpecOfAirflow3):
    @hookspec
    def on_task_instance_failed(self, previous_state, task_instance, error, session): ...


class SpecOfAWorkerOn33:
    """The task SDK has a listener manager of its own that knows no runs."""

    on_task_instance_failed = SpecOfAirflow3.on_task_instance_failed
    before_stopping = SpecOfAirflow3.before_stopping


def hooks_of(spec, listener):
    manager = pluggy.PluginManager("airflow")
    manager.add_hookspecs(spec)
    manager.register(listener)
    return manager.hook


@pytest.fixture(autouse=True)
def no_filters(monkeypatch):
    for name in ("DAGS", "TAGS"):
        monkeypatch.delenv(f"DAGAIN_LISTENER_{name}", raising=False)


@pytest.fixture
def outbox(sidecar):
    """Leaves nothing to be sent to the next test's sidecar."""
    box = dagain_airflow._Outbox()
    yield box
    sidecar.released.set()
    box._waiting.clear()
    box.flush()
    assert not box._is_sending


@pytest.fixture
def listener(outbox):
    return dagain_airflow._Listener(outbox)


def a_dag(**fields):
    return SimpleNamespace(**{"dag_id": "etl", "tags": {"team-a", "nightly"}, "dagrun_timeout": None, **fields})


def a_run(**fields):
    run = contexts.dag_run(state="failed", end_date=contexts.ENDED, run_type="scheduled", dag=a_dag())
    return SimpleNamespace(**{**vars(run), **fields})


def ti_v3(**fields):
    """As the worker has it: the run is in what the server told it."""
    told = SimpleNamespace(dag_run=contexts.dag_run(), should_retry=False)
    task = SimpleNamespace(task_id="load", task_type="PythonOperator", dag_id="etl", retries=0, dag=a_dag())
    return contexts.runtime_ti(**{"state": "failed", "task": task, "_ti_context_from_server": told, **fields})


def ti_v2(**fields):
    """An ORM object."""
    ti = contexts.task_context_v2()["ti"]
    task = SimpleNamespace(task_id="load", task_type="PythonOperator", dag_id="etl", retries=0, dag=a_dag())
    run = contexts.dag_run(run_type="manual", clear_number=0)
    return SimpleNamespace(**{**vars(ti), "task": task, "dag_run": run, **fields})


def fail_task(listener, ti, error=None, previous_state="running"):
    error = ValueError("boom") if error is None else error
    listener.on_task_instance_failed(previous_state=previous_state, task_instance=ti, error=error)
    listener.before_stopping(component=object())


def fail_run(listener, run, message="task_failure"):
    listener.on_dag_run_failed(dag_run=run, msg=message)
    listener.before_stopping(component=object())


# Whether it is on


def in_a_process(code, **env):
    """Runs `code` with the module as `module` in a Python of its own. Returns how long that took."""
    program = f"import sys; sys.path.insert(0, {str(MODULE.parent)!r})\nimport dagain_airflow as module\n{code}"
    began = time.monotonic()
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done, time.monotonic() - began


@pytest.mark.parametrize(
    ("written", "listeners"), [(None, 0), ("", 0), ("false", 0), ("true", 1), (" True ", 1), ("yes", 0), ("1", 0)]
)
def test_it_is_off_unless_it_is_switched_on(written, listeners):
    env = {} if written is None else {"DAGAIN_LISTENER": written}
    done, _ = in_a_process("print(len(module.DagainPlugin.listeners), module.DagainPlugin.name)", **env)
    assert done.stdout.splitlines()[-1] == f"{listeners} dagain"
    # Airflow 3.3 logs to standard output.
    assert ("must be true or false" in done.stdout + done.stderr) == (written in ("yes", "1"))


# What is reported


@pytest.mark.parametrize(
    ("spec", "more"), [(SpecOfAirflow2, {"session": object()}), (SpecOfAirflow3, {}), (SpecOfAWorkerOn33, {})]
)
def test_airflow_finds_the_hooks_of_a_task(sidecar, listener, spec, more):
    hook = hooks_of(spec, listener)
    hook.on_task_instance_failed(previous_state="running", task_instance=ti_v3(), error=ValueError("boom"), **more)
    hook.before_stopping(component=object())
    assert sidecar.paths == ["/v1/callbacks/task-failed"]


@pytest.mark.parametrize("spec", [SpecOfAirflow2, SpecOfAirflow3])
def test_airflow_finds_the_hooks_of_a_run(sidecar, listener, spec):
    hook = hooks_of(spec, listener)
    hook.on_dag_run_failed(dag_run=a_run(), msg="task_failure")
    hook.on_dag_run_success(dag_run=a_run(state="success"), msg="success")
    hook.before_stopping(component=object())
    assert sidecar.paths == ["/v1/callbacks/run-failed", "/v1/callbacks/run-succeeded"]


def test_a_task_failure_of_airflow_3_says_what_a_callback_would_say(sidecar, listener):
    fail_task(listener, ti_v3())
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


def test_a_task_failure_of_airflow_2_says_what_a_callback_would_say(sidecar, listener):
    fail_task(listener, ti_v2(), "text")
    body = sidecar.body
    assert (body["dag_id"], body["dag_run_id"], body["task_id"], body["try_number"]) == ("etl", "r1", "load", 1)
    assert body["exception"] == {"message": "text"}
    assert body["dag_run"]["clear_number"] == 0


def test_what_the_failing_code_asks_for_counts_without_any_callback(sidecar, listener):
    fail_task(listener, ti_v3(), dagain_airflow.RetryDagRun("again", max_retries=5, delay="10m"))
    assert sidecar.body["retry"] == {"max_retries": 5, "delay": "10m"}


def test_a_task_that_the_scheduler_finds_dead_is_infra(sidecar, listener):
    error = "Executor LocalExecutor reported that the task instance T finished with state failed, but the task instance"
    fail_task(listener, ti_v2(task=None, dag_run=None), error)
    assert sidecar.body["failure_class"] == "infra"


def test_what_would_ask_the_database_is_not_read(sidecar, listener):
    asked = []

    class Ti(SimpleNamespace):
        """A relation that was not loaded: reading it is a query in the middle of the scheduler's transaction."""

        @property
        def dag_run(self):
            asked.append("dag_run")

    fields = vars(ti_v2())
    fields.pop("dag_run")
    fail_task(listener, Ti(**fields))
    assert "dag_run" not in sidecar.body
    assert asked == []


@pytest.mark.parametrize("state", ["up_for_retry", "running", "success", "restarting", contexts.enum.Enum("S", "x").x])
def test_a_task_that_is_not_failed_for_good_is_not_reported(sidecar, listener, state):
    fail_task(listener, ti_v3(state=state))
    assert sidecar.requests == []


@pytest.mark.parametrize(("try_number", "max_tries", "reports"), [(1, 1, 0), (2, 1, 1), (1, 0, 1), (1, None, 0)])
def test_where_3_0_0_tells_no_state_the_tries_do(sidecar, listener, try_number, max_tries, reports):
    fail_task(listener, ti_v3(state=..., try_number=try_number, max_tries=max_tries))
    assert len(sidecar.requests) == reports


def test_a_task_that_a_person_set_to_failed_is_not_reported(sidecar, listener):
    error = "TaskInstance's state was manually set to `failed`."
    fail_task(listener, ti_v2(), error, previous_state=None)
    assert sidecar.requests == []


@pytest.mark.parametrize("reason", ["task_failure", "all_tasks_deadlocked", "timed_out"])
def test_a_run_that_airflow_ended_is_reported_with_the_reason(sidecar, listener, reason):
    fail_run(listener, a_run(), reason)
    assert sidecar.paths == ["/v1/callbacks/run-failed"]
    assert sidecar.body == {
        "dag_id": "etl",
        "dag_run_id": "r1",
        "reason": reason,
        "failed_at": "2026-11-21T01:44:07.625054+00:00",
        "dag_run": {"start_date": "2026-11-21T01:44:06.038111+00:00", "clear_number": 1, "run_type": "scheduled"},
    }


LIMIT = timedelta(seconds=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("message", "run"),
    [
        ("Dag Run's state was manually set to `failed`.", a_run()),  # 3.3
        ("Dag Run's state was manually set to `failed`.", a_run(dag=a_dag(dagrun_timeout=LIMIT))),
        ("", a_run()),  # 3.0 to 3.2
        ("", a_run(dag=None, start_date=LONG_AGO)),  # the API server has no Dag at hand
        ("", a_run(dag=a_dag(dagrun_timeout=timedelta(hours=1)))),
        ("", a_run(dag=a_dag(dagrun_timeout=LIMIT), start_date=None)),
        ("some new word", a_run()),
        (None, a_run()),
    ],
)
def test_a_run_that_a_person_set_to_failed_is_not_reported(sidecar, listener, logged, message, run):
    fail_run(listener, run, message)
    assert sidecar.requests == []
    assert "run etl r1 was set to failed by hand" in logged.text


@pytest.mark.parametrize("end", [contexts.ENDED, None])
def test_a_run_out_of_time_is_told_without_a_word_before_3_2(sidecar, listener, end):
    fail_run(listener, a_run(dag=a_dag(dagrun_timeout=LIMIT), end_date=end), "")
    assert sidecar.body["reason"] == "timed_out"


def test_a_success_is_reported_whoever_made_it_one(sidecar, listener):
    for message in ("success", "", "Dag Run's state was manually set to `success`."):
        listener.on_dag_run_success(dag_run=a_run(), msg=message)
    listener.before_stopping(component=object())
    assert sidecar.paths == ["/v1/callbacks/run-succeeded"] * 3
    assert json.loads(sidecar.requests[0][2]) == {"dag_id": "etl", "dag_run_id": "r1"}


def test_the_many_successes_that_nobody_waits_for_are_not_logged(sidecar, listener, logged):
    decision = {"decision": "unknown_run", "reason": "unknown_run"}
    sidecar.answer((202, json.dumps(decision)))
    listener.on_dag_run_success(dag_run=a_run(), msg="success")
    listener.before_stopping(component=object())
    assert len(sidecar.requests) == 1
    assert logged.text == ""


# Which Dags


@pytest.mark.parametrize(
    ("dags", "tags", "reports"),
    [
        ("", "", 3),
        ("etl", "", 3),
        ("report_*, et?", "", 3),
        ("ETL", "", 0),
        ("report_*", "", 0),
        ("", "team-a", 3),
        ("", "team-b, nightly", 3),
        ("", "team", 0),
        ("etl", "team-a", 3),
        ("report_*", "team-a", 0),
        ("etl", "team-b", 0),
        (" , ", ",", 3),
    ],
)
def test_only_dags_that_fit_are_reported(sidecar, monkeypatch, listener, dags, tags, reports):
    monkeypatch.setenv("DAGAIN_LISTENER_DAGS", dags)
    monkeypatch.setenv("DAGAIN_LISTENER_TAGS", tags)
    fail_task(listener, ti_v3())
    fail_run(listener, a_run())
    listener.on_dag_run_success(dag_run=a_run(), msg="success")
    listener.before_stopping(component=object())
    assert len(sidecar.requests) == reports


@pytest.mark.parametrize("dag", [None, a_dag(tags=None), a_dag(tags=[])])
def test_tags_that_are_not_known_select_nothing(sidecar, monkeypatch, listener, dag):
    monkeypatch.setenv("DAGAIN_LISTENER_TAGS", "team-a")
    fail_run(listener, a_run(dag=dag))
    assert sidecar.requests == []


# It holds nothing up


def report(outbox, number):
    outbox.add("run-succeeded", {"dag_id": "etl", "dag_run_id": f"r{number}"})


def run_ids(sidecar):
    return [json.loads(raw)["dag_run_id"] for _, _, raw in sidecar.requests]


def test_a_sidecar_that_hangs_costs_airflow_nothing_until_the_process_ends(sidecar, monkeypatch, outbox, stopwatch):
    monkeypatch.setenv("DAGAIN_TIMEOUT", "500ms")
    sidecar.hang_s = 10
    for number in range(100):
        report(outbox, number)
    assert stopwatch() < 3
    outbox.flush()
    assert stopwatch() < 8


def test_a_full_outbox_drops_and_says_so_once_a_minute(sidecar, monkeypatch, outbox, logged):
    monkeypatch.setattr(dagain_airflow, "MAX_WAITING", 3)
    monkeypatch.setenv("DAGAIN_TIMEOUT", "300ms")
    sidecar.hang_s = 10
    report(outbox, 0)
    while not sidecar.requests:
        time.sleep(0.01)
    for number in range(1, 11):
        report(outbox, number)
    assert logged.text.count("reports were dropped") == 1
    assert "dagain: 1 reports were dropped" in logged.text
    # A minute later, the rest of the ten less the three that fit, at the next report.
    now = time.monotonic()
    monkeypatch.setattr(dagain_airflow.time, "monotonic", lambda: now + 61)
    outbox._tell_drops()
    assert "dagain: 6 reports were dropped" in logged.text


def test_reports_are_sent_in_order_by_one_thread_that_then_ends(sidecar, outbox):
    for number in range(20):
        report(outbox, number)
        assert [thread.name for thread in threading.enumerate()].count("dagain-plugin") <= 1
    outbox.flush()
    assert run_ids(sidecar) == [f"r{number}" for number in range(20)]
    time.sleep(0.05)
    assert "dagain-plugin" not in [thread.name for thread in threading.enumerate()]
    report(outbox, 20)
    outbox.flush()
    assert run_ids(sidecar)[-1] == "r20"


def test_threads_that_report_at_the_same_time_lose_nothing(sidecar, outbox):
    threads = [threading.Thread(target=report, args=(outbox, number)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outbox.flush()
    assert sorted(run_ids(sidecar)) == sorted(f"r{number}" for number in range(50))


class Hostile:
    def __getattribute__(self, name):
        if name == "__class__":
            return object.__getattribute__(self, name)
        raise RuntimeError(name)


THINGS = [None, 3, object(), Hostile(), contexts.Detached(), {}]


@pytest.mark.parametrize("thing", THINGS, ids=range(len(THINGS)))
def test_nothing_that_airflow_hands_over_makes_it_raise(sidecar, listener, thing):
    listener.on_task_instance_failed(previous_state="running", task_instance=thing, error=thing)
    listener.on_dag_run_failed(dag_run=thing, msg=thing)
    listener.on_dag_run_failed(dag_run=thing, msg="task_failure")
    listener.on_dag_run_success(dag_run=thing, msg=thing)
    listener.before_stopping(component=thing)
    assert sidecar.requests == []


# Nothing is lost at the end of a process


def in_a_child(act):
    """As Airflow 3 runs a task: forked, and ended without exit handlers."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def test_a_forked_child_sends_its_own_reports_and_only_those(sidecar, monkeypatch, outbox):
    monkeypatch.setenv("DAGAIN_TIMEOUT", "2s")
    sidecar.hang_s = 0.3
    report(outbox, 1)
    report(outbox, 2)

    def child():
        report(outbox, 3)
        outbox.flush()

    # In the parent, a thread is sending, and here the lock is held as well: the child must not wait for either.
    with outbox._changed:
        in_a_child(child)
    outbox.flush()
    assert sorted(run_ids(sidecar)) == ["r1", "r2", "r3"]


SENDS = "outbox = module._Outbox(); outbox.add('run-succeeded', {'dag_id': 'etl', 'dag_run_id': 'r1'})"


def test_a_process_that_ends_sends_what_it_has(sidecar):
    in_a_process(SENDS)
    assert run_ids(sidecar) == ["r1"]


def test_a_process_that_ends_by_sys_exit_in_a_signal_handler_does_too(sidecar):
    stop = "import os, signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), 15)"
    in_a_process(f"{SENDS}; {stop}")
    assert run_ids(sidecar) == ["r1"]


def test_a_process_that_ends_does_not_wait_for_ever(sidecar):
    sidecar.hang_s = 30
    _, seconds = in_a_process(SENDS, DAGAIN_TIMEOUT="500ms")
    assert seconds < 20


def test_a_child_of_multiprocessing_sends_what_it_has(sidecar, outbox):
    """As Airflow 2's Dag processor has them, which end without running exit handlers."""
    report(outbox, 0)
    child = multiprocessing.get_context("fork").Process(target=report, args=(outbox, 1))
    child.start()
    child.join(10)
    assert child.exitcode == 0
    outbox.flush()
    assert sorted(run_ids(sidecar)) == ["r0", "r1"]


def test_when_no_thread_can_be_started_any_more_a_report_is_sent_all_the_same(sidecar, monkeypatch):
    def refuse(_self):
        raise RuntimeError("can't start new thread at interpreter shutdown")

    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda self: refuse(self) if self.name == "dagain" else start(self))
    dagain_airflow._deliver("run-succeeded", {"dag_id": "etl", "dag_run_id": "r1"})
    assert run_ids(sidecar) == ["r1"]
