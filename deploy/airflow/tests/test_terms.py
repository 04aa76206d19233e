"""Which terms a failure asks for: options of the callback, and exceptions of the failing code."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta

import pytest

import contexts
from dagain_airflow import DoNotRetryDagRun, RetryDagRun, dagain_callback, on_failure


def retry_of(sidecar, exception, callback=on_failure):
    callback(contexts.task_context_v3(exception))
    return sidecar.body.get("retry")


@pytest.mark.parametrize(
    ("exception", "retry"),
    [
        (RetryDagRun("again", max_retries=5, delay="10m"), {"max_retries": 5, "delay": "10m"}),
        (RetryDagRun(max_retries=1), {"max_retries": 1}),
        (RetryDagRun(delay=timedelta(minutes=2)), {"delay": 120.0}),
        (RetryDagRun(delay=30), {"delay": 30}),
        (RetryDagRun(delay=float("nan"), max_retries=True), None),
        (RetryDagRun(delay=object()), None),  # type: ignore[arg-type]
        (RetryDagRun("again"), None),
        (ValueError("boom"), None),
    ],
)
def test_the_failing_code_sets_the_terms_of_the_retry(sidecar, exception, retry):
    assert retry_of(sidecar, exception) == retry


def test_do_not_retry_sends_its_type_and_no_retries(sidecar):
    assert retry_of(sidecar, DoNotRetryDagRun("the input is wrong")) == {"max_retries": 0}
    assert sidecar.body["exception"] == {
        "type": "dagain_airflow.DoNotRetryDagRun",
        "message": "the input is wrong",
    }


def from_cause():
    try:
        raise DoNotRetryDagRun("deep down")
    except DoNotRetryDagRun as error:
        raise RuntimeError("wrapped") from error


def in_context():
    try:
        raise DoNotRetryDagRun("deep down")
    except DoNotRetryDagRun:
        raise RuntimeError("wrapped")  # noqa: B904


def hidden():
    try:
        raise DoNotRetryDagRun("deep down")
    except DoNotRetryDagRun:
        raise RuntimeError("wrapped") from None


@pytest.mark.parametrize("act", [from_cause, in_context])
def test_the_chain_of_causes_is_searched(sidecar, act):
    with pytest.raises(RuntimeError) as raised:
        act()
    assert retry_of(sidecar, raised.value) == {"max_retries": 0}
    assert sidecar.body["exception"]["type"] == "dagain_airflow.DoNotRetryDagRun"


def test_what_was_raised_from_none_is_not_searched(sidecar):
    with pytest.raises(RuntimeError) as raised:
        hidden()
    assert retry_of(sidecar, raised.value) is None
    assert sidecar.body["exception"]["type"] == "RuntimeError"


def test_a_chain_that_is_a_circle_ends(sidecar):
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert retry_of(sidecar, first) is None


def test_classes_of_the_same_name_from_another_copy_of_the_module_count(sidecar):
    other = type("DoNotRetryDagRun", (Exception,), {"__module__": "unusual_prefix_1234_etl"})
    assert retry_of(sidecar, other("no")) == {"max_retries": 0}


def test_the_exceptions_survive_pickling():
    again = pickle.loads(pickle.dumps(RetryDagRun("again", max_retries=5, delay="10m")))
    assert (str(again), again.max_retries, again.delay) == ("again", 5, "10m")
    assert str(pickle.loads(pickle.dumps(DoNotRetryDagRun("no")))) == "no"


# Options of the callback


def test_the_callbacks_own_terms_are_sent_at_both_levels(sidecar):
    callback = dagain_callback(retry={"max_retries": 5, "delay": timedelta(minutes=5)})
    callback(contexts.dag_context_v3("task_failure"))
    assert sidecar.body["retry"] == {"max_retries": 5, "delay": 300.0}


def test_the_failing_code_wins_over_the_callback(sidecar):
    callback = dagain_callback(retry={"max_retries": 5, "delay": "5m"}, when=KeyError)
    assert retry_of(sidecar, RetryDagRun(max_retries=1), callback) == {"max_retries": 1, "delay": "5m"}


@pytest.mark.parametrize(
    ("when", "exception", "retry"),
    [
        (ConnectionError, ConnectionResetError("x"), {"max_retries": 5}),
        (ConnectionError, ValueError("x"), {"never_on": ["*"]}),
        ((KeyError, ValueError), ValueError("x"), {"max_retries": 5}),
        ([KeyError, ValueError], TypeError("x"), {"never_on": ["*"]}),
        (ConnectionError, "text from Airflow 2", {"never_on": ["*"]}),
        (lambda _context, error: "x" in str(error), ValueError("x"), {"max_retries": 5}),
        (lambda _context, error: "y" in str(error), ValueError("x"), {"never_on": ["*"]}),
        (lambda context, _error: context["ti"].try_number < 2, ValueError("x"), {"never_on": ["*"]}),
    ],
)
def test_when_says_which_failures_are_worth_another_attempt(sidecar, when, exception, retry):
    assert retry_of(sidecar, exception, dagain_callback(retry={"max_retries": 5}, when=when)) == retry


def test_a_predicate_is_asked_with_none_where_airflow_knows_no_exception(sidecar):
    dagain_callback(when=lambda _context, error: error is None)(contexts.lost_task_context_v3())
    assert "retry" not in sidecar.body


def test_a_class_of_another_copy_of_the_same_module_matches(sidecar):
    mine, theirs = (type("Flaky", (Exception,), {"__module__": "company.errors"}) for _ in range(2))
    assert retry_of(sidecar, theirs("x"), dagain_callback(when=mine)) is None


def test_a_predicate_that_raises_leaves_the_failure_retryable(sidecar, logged):
    callback = dagain_callback(retry={"max_retries": 5}, when=lambda _context, _error: 1 / 0)
    assert retry_of(sidecar, ValueError("x"), callback) == {"max_retries": 5}
    assert "stays retryable" in logged.text


def test_the_dag_level_knows_no_exception_so_when_is_not_asked(sidecar):
    dagain_callback(when=ConnectionError)(contexts.dag_context_v3("timed_out"))
    assert "retry" not in sidecar.body


@pytest.mark.parametrize(
    "options",
    [
        {"when": 3},
        {"when": ()},
        {"when": (ValueError, 3)},
        {"retry": {"delay": object()}},
        {"retry": {"x": float("nan")}},
    ],
)
def test_a_mistake_in_the_options_shows_when_the_dag_is_parsed(options):
    with pytest.raises((TypeError, ValueError)):
        dagain_callback(**options)


def test_airflow_may_copy_a_callback(sidecar):
    callback = copy.deepcopy(dagain_callback(retry={"max_retries": 5}))
    assert retry_of(sidecar, ValueError("x"), callback) == {"max_retries": 5}
