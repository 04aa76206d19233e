"""As pip installs it, and as one file that somebody copied."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

import dagain_airflow
from conftest import SOURCES

SHOWS = """
import importlib.metadata, inspect, pathlib, dagain_airflow
(found,) = importlib.metadata.entry_points(group="airflow.plugins", name="dagain")
print(importlib.metadata.version("dagain-airflow"), found.load() is dagain_airflow.DagainPlugin)
"""


def run(*command, **env):
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy, so that what a build leaves behind is not left in the repository."""
    copied = tmp_path_factory.mktemp("sources") / "airflow"
    shutil.copytree(SOURCES, copied, ignore=shutil.ignore_patterns("tests", ".*", "__pycache__"))
    return copied


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", str(folder), str(sources)
    )
    (built,) = folder.iterdir()
    return built


def test_the_wheel_holds_the_one_file_as_a_typed_package(wheel):
    assert wheel.name == f"dagain_airflow-{dagain_airflow.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as opened:
        names = [name for name in opened.namelist() if ".dist-info/" not in name]
        metadata = opened.read(f"dagain_airflow-{dagain_airflow.__version__}.dist-info/METADATA").decode()
        assert sorted(names) == ["dagain_airflow/__init__.py", "dagain_airflow/py.typed"]
        assert opened.read("dagain_airflow/__init__.py") == (SOURCES / "dagain_airflow.py").read_bytes()
    assert "Requires-Dist" not in metadata


def test_pip_installs_the_folder_and_airflow_would_find_the_plugin(sources, tmp_path):
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps"]
    run(*pip, "--target", str(tmp_path), str(sources))
    assert run(sys.executable, "-c", SHOWS, PYTHONPATH=str(tmp_path)).split() == [dagain_airflow.__version__, "True"]


def test_the_copied_file_works_without_anything_installed(tmp_path):
    shutil.copy(SOURCES / "dagain_airflow.py", tmp_path)
    code = "from dagain_airflow import *; on_failure({}); DagainNotifier()({}); print(DagainPlugin.listeners)"
    # -S: without site-packages, as where neither Airflow nor pluggy is.
    assert run(sys.executable, "-S", "-c", code, PYTHONPATH=str(tmp_path), DAGAIN_LISTENER="").strip() == "[]"
    assert (
        run(sys.executable, "-S", "-c", code, PYTHONPATH=str(tmp_path), DAGAIN_LISTENER="true").count("_Listener") == 1
    )
