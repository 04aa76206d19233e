from __future__ import annotations

import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCES))

DECISION = {
    "decision": "retry_scheduled",
    "dag_id": "etl",
    "dag_run_id": "r1",
    "next_attempt": 2,
    "retries_used": 0,
    "max_retries": 2,
    "due_at": "2026-01-01T00:01:00.000Z",
    "reason": "task_failure",
}


class Sidecar:
    """A real HTTP server that keeps what it is sent and answers as told: the n-th request gets the n-th answer."""

    def __init__(self):
        self.requests = []
        self.answers = [(202, "application/json", json.dumps(DECISION))]
        self.hang_s = 0.0
        self.trickle = False
        self.released = threading.Event()
        sidecar = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                sidecar._answer(self)

            def log_message(self, *_args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _answer(self, handler):
        raw = handler.rfile.read(int(handler.headers["content-length"]))
        self.requests.append((handler.path, {k.lower(): v for k, v in handler.headers.items()}, raw))
        self.released.wait(self.hang_s)
        status, content_type, text = self.answers[min(len(self.requests), len(self.answers)) - 1]
        handler.send_response(status)
        handler.send_header("content-type", content_type)
        handler.send_header("location", f"{self.url}/elsewhere")
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        while self.trickle and not self.released.wait(0.05):
            handler.wfile.write(b" ")
        handler.wfile.write(text.encode())

    def answer(self, *answers):
        self.answers = [(status, "text/html", text) for status, text in answers]

    @property
    def paths(self):
        return [path for path, _, _ in self.requests]

    @property
    def body(self):
        """Of the only request there was."""
        assert len(self.requests) == 1, self.paths
        return json.loads(self.requests[0][2])

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def sidecar(monkeypatch):
    running = Sidecar()
    for name in ("CALLBACK_TOKEN", "CALLBACK_TOKEN_FILE", "WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE", "TIMEOUT"):
        monkeypatch.delenv(f"DAGAIN_{name}", raising=False)
    monkeypatch.setenv("DAGAIN_URL", running.url)
    yield running
    running.close()


@pytest.fixture
def logged(caplog):
    caplog.set_level("INFO", logger="dagain_airflow")
    return caplog


@pytest.fixture
def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def stopwatch():
    started = time.monotonic()
    return lambda: time.monotonic() - started
