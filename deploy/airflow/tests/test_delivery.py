"""How it is sent: within the budget, twice at most, and never raising."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time

import pytest

import contexts
import dagain_airflow
from conftest import DECISION
from dagain_airflow import dagain_callback, on_failure, on_success

OK = (202, json.dumps(DECISION))


def fail():
    on_failure(contexts.task_context_v3(ValueError("boom")))


def test_one_line_says_what_was_decided(sidecar, logged):
    fail()
    expected = (
        "dagain: task-failed of run etl r1: retry_scheduled (task_failure), "
        "attempt 2 is due at 2026-01-01T00:01:00.000Z, 0 of 2 retries used"
    )
    assert [record.getMessage() for record in logged.records] == [expected]


def test_a_path_prefix_is_kept(sidecar, monkeypatch):
    monkeypatch.setenv("DAGAIN_URL", f"{sidecar.url}/dagain/")
    fail()
    assert sidecar.paths == ["/dagain/v1/callbacks/task-failed"]


# Who we are


def test_without_a_token_nothing_is_claimed(sidecar):
    fail()
    headers = sidecar.requests[0][1]
    assert "authorization" not in headers
    assert "webhook-id" not in headers


def test_the_token_comes_from_the_environment(sidecar, monkeypatch):
    monkeypatch.setenv("DAGAIN_CALLBACK_TOKEN", "new-token,old-token")
    fail()
    assert sidecar.requests[0][1]["authorization"] == "Bearer new-token"


def test_or_from_a_file_that_is_read_anew_each_time(sidecar, monkeypatch, tmp_path):
    file = tmp_path / "token"
    monkeypatch.setenv("DAGAIN_CALLBACK_TOKEN_FILE", str(file))
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        fail()
    assert [headers["authorization"] for _, headers, _ in sidecar.requests] == ["Bearer first", "Bearer second"]


def test_a_token_file_that_is_missing_is_told(sidecar, monkeypatch, logged, tmp_path):
    monkeypatch.setenv("DAGAIN_CALLBACK_TOKEN_FILE", str(tmp_path / "missing"))
    fail()
    assert sidecar.requests == []
    assert "was not reported" in logged.text
    assert "missing" in logged.text


@pytest.mark.parametrize(
    ("secret", "key"),
    [("whsec_" + base64.b64encode(b"some key").decode(), b"some key"), ("plain text", b"plain text")],
)
def test_a_webhook_secret_signs_the_body(sidecar, monkeypatch, secret, key):
    monkeypatch.setenv("DAGAIN_WEBHOOK_SECRET", secret)
    fail()
    _, headers, raw = sidecar.requests[0]
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 10
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_the_example_of_the_standard_is_signed_as_it_says():
    secret, message_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = dagain_airflow._signature(secret, message_id, "1614265330", b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# Answers


@pytest.mark.parametrize("first", [429, 500, 503])
def test_a_passing_trouble_is_tried_once_more_under_the_same_id(sidecar, monkeypatch, logged, first):
    monkeypatch.setenv("DAGAIN_WEBHOOK_SECRET", "secret-secret")
    sidecar.answer((first, ""), OK)
    fail()
    assert len(sidecar.requests) == 2
    assert len({headers["webhook-id"] for _, headers, _ in sidecar.requests}) == 1
    assert len({raw for _, _, raw in sidecar.requests}) == 1
    assert "retry_scheduled" in logged.text


def test_a_lasting_503_is_told_after_two_tries(sidecar, logged, stopwatch):
    sidecar.answer((503, '{"code": "store_unavailable", "detail": "Redis is out"}'))
    fail()
    assert len(sidecar.requests) == 2
    assert stopwatch() < 2
    assert "503 store_unavailable: Redis is out" in logged.text


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413])
def test_what_will_not_change_is_not_tried_again(sidecar, logged, status):
    sidecar.answer((status, '{"code": "x", "detail": "y", "errors": [{"field": "retry.delay"}]}'))
    fail()
    assert len(sidecar.requests) == 1
    assert f"refused by {sidecar.url} with {status} x: y" in logged.text
    assert "retry.delay" in logged.text
    assert ("DAGAIN_CALLBACK_TOKEN" in logged.text) == (status in (401, 403))


@pytest.mark.parametrize("text", ["<html>Welcome to nginx</html>", "[]", "", '{"status": "ok"}'])
def test_an_answer_of_something_else_is_not_taken_for_a_decision(sidecar, logged, text):
    sidecar.answer((200, text))
    fail()
    assert "not by dagain" in logged.text
    assert "DAGAIN_URL" in logged.text


# The budget


def test_a_sidecar_that_hangs_costs_the_budget_and_no_more(sidecar, monkeypatch, logged, stopwatch):
    monkeypatch.setenv("DAGAIN_TIMEOUT", "500ms")
    sidecar.hang_s = 10
    fail()
    assert stopwatch() < 1.5
    assert "was not delivered" in logged.text


def test_an_answer_that_trickles_in_costs_no_more_either(sidecar, monkeypatch, logged, stopwatch):
    monkeypatch.setenv("DAGAIN_TIMEOUT", "0.5")
    sidecar.trickle = True
    fail()
    assert stopwatch() < 1.5
    assert "was not delivered" in logged.text


def test_a_host_that_never_accepts_costs_no_more_either(monkeypatch, logged, stopwatch):
    monkeypatch.setenv("DAGAIN_TIMEOUT", "500ms")
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        monkeypatch.setenv("DAGAIN_URL", f"http://127.0.0.1:{full.getsockname()[1]}")
        fail()
    assert stopwatch() < 1.5
    assert "was not delivered" in logged.text


def test_a_name_look_up_that_hangs_costs_no_more_either(monkeypatch, logged, stopwatch):
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: released.wait(10))
    monkeypatch.setenv("DAGAIN_URL", "http://sidecar.example")
    monkeypatch.setenv("DAGAIN_TIMEOUT", "500ms")
    fail()
    released.set()
    assert stopwatch() < 1.5
    assert "was not delivered" in logged.text


def test_a_refused_connection_is_tried_twice_and_told(monkeypatch, logged, stopwatch, unused_port):
    monkeypatch.setenv("DAGAIN_URL", f"http://127.0.0.1:{unused_port}")
    fail()
    assert stopwatch() < 2
    assert "ConnectionRefusedError" in logged.text
    assert "only where it watches the run already or has DAGAIN_WATCH=on" in logged.text


def test_a_sidecar_that_comes_back_in_time_gets_the_callback(sidecar, monkeypatch, logged):
    connect, tries = dagain_airflow.http.client.HTTPConnection.connect, []

    def flaky(self):
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionResetError("restarting")
        connect(self)

    monkeypatch.setattr(dagain_airflow.http.client.HTTPConnection, "connect", flaky)
    fail()
    assert len(sidecar.requests) == 1
    assert "retry_scheduled" in logged.text


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("", 3), ("3", 3), ("3s", 3), ("500ms", 0.5), ("1.5 s", 1.5), ("10m", 15), ("0", 0.1), ("soon", 3), ("-1", 3)],
)
def test_the_budget_is_a_duration_within_what_airflow_allows(monkeypatch, written, seconds):
    monkeypatch.setenv("DAGAIN_TIMEOUT", written)
    assert dagain_airflow._timeout_s() == seconds


def test_a_proxy_of_the_environment_is_not_used(sidecar, monkeypatch, unused_port):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
    fail()
    assert len(sidecar.requests) == 1


# Never raises


class Hostile:
    """Raises whatever it is asked."""

    def __getattribute__(self, name):
        if name in ("__class__", "__dict__"):
            return object.__getattribute__(self, name)
        raise RuntimeError(name)

    def __str__(self):
        raise RuntimeError("str")

    __repr__ = __str__


class BadText(Exception):
    def __str__(self):
        raise RuntimeError("str")


STRANGE = [
    {},
    None,
    3,
    "text",
    [],
    {"ti": None},
    {"ti": object()},
    {"ti": Hostile(), "exception": Hostile(), "dag_run": Hostile(), "task": Hostile(), "dag": Hostile()},
    {"reason": Hostile(), "dag": Hostile()},
    {"reason": "task_failure"},
    {"reason": None, "dag_run": {}},
    contexts.Detached(),
    contexts.task_context_v3(dag_run=contexts.Detached(dag_id="etl", run_id="r1")),
    contexts.task_context_v3(ti=contexts.Detached(dag_id="etl", run_id="r1", task_id="t"), dag_run=None),
    contexts.task_context_v3(BadText()),
    contexts.task_context_v3(exception={"not": "an exception"}),
    contexts.task_context_v3(ti=contexts.runtime_ti(map_index="x", try_number=None, id=object(), end_date=object())),
]


@pytest.mark.parametrize("context", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize("callback", [on_failure, on_success, dagain_callback(retry={"delay": 1}, when=ValueError)])
def test_no_context_makes_it_raise(sidecar, context, callback):
    callback(context)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://x", "http://", "http://[", "http://x:port", "http://a b"])
def test_no_address_makes_it_raise(monkeypatch, url, unused_port):
    monkeypatch.setattr(dagain_airflow, "DEFAULT_URL", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("DAGAIN_URL", url)
    monkeypatch.setenv("DAGAIN_TIMEOUT", "300ms")
    fail()


@pytest.mark.parametrize("url", ["ftp://user:pass-word@x", "user:pass-word@x", "://user:pass-word@x/y"])
def test_an_address_that_is_wrong_is_told_without_its_password(monkeypatch, logged, url):
    monkeypatch.setenv("DAGAIN_URL", url)
    fail()
    assert "DAGAIN_URL must be a URL such as" in logged.text
    assert "pass-word" not in logged.text


def test_a_context_without_ids_is_told_and_nothing_is_sent(sidecar, logged):
    on_failure({"ti": object()})
    assert sidecar.requests == []
    assert "does not say which it is" in logged.text


def test_no_secret_is_ever_logged(sidecar, monkeypatch, logged, unused_port):
    monkeypatch.setenv("DAGAIN_CALLBACK_TOKEN", "the-token")
    monkeypatch.setenv("DAGAIN_WEBHOOK_SECRET", "the-secret")
    for port in (sidecar.server.server_port, unused_port):
        monkeypatch.setenv("DAGAIN_URL", f"http://user:pass-word@127.0.0.1:{port}")
        for status in (202, 401, 503):
            sidecar.answer((status, "{}"))
            fail()
    assert len(logged.records) == 6
    assert not any(secret in logged.text for secret in ("pass-word", "the-token", "the-secret"))
