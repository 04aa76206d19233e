"""The same Dags with the one line that a Dag's author adds: for the notifier alone, and for everything at once."""

from __future__ import annotations

from dagain_airflow import DagainNotifier
from shapes import make_dags

for adoption in ("notifier", "all"):
    tell = DagainNotifier()
    make_dags(adoption, {"on_failure_callback": tell}, {"on_failure_callback": tell, "on_success_callback": tell})
