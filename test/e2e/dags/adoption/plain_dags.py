"""Dags as they were before anybody heard of dagain: for the plugin alone, and for the service that looks by itself."""

from __future__ import annotations

from shapes import make_dags

# Airflow parses only files that have the words "airflow" and "dag" in them.
for adoption in ("plugin", "watch"):
    make_dags(adoption, {}, {})
