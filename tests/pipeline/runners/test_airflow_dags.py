"""The DAG file: what Airflow finds in it, and that it is the pipeline that TFX compiles."""

import datetime
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runners.airflow import graph
from pipeline_config import PIPELINES

DAGS_FOLDER = Path(__file__).parents[3] / "pipeline" / "dags"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def graphs_compiled_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process would import TFX for each test."""
    # Not within the seconds that Airflow gives a DAG file.
    importlib.import_module("pipeline.build")
    monkeypatch.setenv("AEPIPE_HOME", str(home))
    monkeypatch.setattr(graph, "_compiled_in_a_child", graph.compiled_graphs)


def dag_bag():  # type: ignore[no-untyped-def]
    from airflow.models.dagbag import DagBag

    return DagBag(DAGS_FOLDER, include_examples=False, read_dags_from_db=False)


def dag_of(name: str):  # type: ignore[no-untyped-def]
    return dag_bag().dags[f"aepipe_{name}"]


def test_each_pipeline_has_a_dag_and_none_an_import_error() -> None:
    found = dag_bag()
    assert found.import_errors == {}
    assert sorted(found.dags) == [f"aepipe_{name}" for name in sorted(PIPELINES)]


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["trainer.warm_start=true"],
        ["infra_validator.enabled=false"],
        ["trainer.warm_start=true", "infra_validator.enabled=false"],
    ],
    ids=" ".join,
)
def test_tasks_and_edges_are_the_compiled_pipelines(
    settings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEPIPE_SET", " ".join(settings))
    dags = dag_bag().dags
    around = {"choose_data", "finish"}
    for name, compiled in graph.compiled_graphs(os.environ).items():
        dag = dags[f"aepipe_{name}"]
        edges = {
            task.task_id: sorted(task.upstream_task_ids - around)
            for task in dag.tasks
            if task.task_id not in around
        }
        assert edges == compiled
        assert list(dag.get_task("choose_data").op_kwargs["stages"]) == list(compiled)
        assert ("WarmStartResolver" in edges) == ("trainer.warm_start=true" in settings)
        assert ("InfraValidator" in edges) == ("infra_validator.enabled=false" not in settings)


@pytest.mark.parametrize("name", list(PIPELINES))
def test_the_first_task_is_before_all_and_the_last_after_all(name: str) -> None:
    dag = dag_of(name)
    stages = set(dag.task_ids) - {"choose_data", "finish"}
    first, last = dag.get_task("choose_data"), dag.get_task("finish")
    assert {task.task_id for task in dag.roots} == {"choose_data"}
    assert {task.task_id for task in dag.leaves} == {"finish"}
    assert set(first.get_flat_relative_ids(upstream=False)) == {*stages, "finish"}
    assert set(last.get_flat_relative_ids(upstream=True)) == {*stages, "choose_data"}
    assert last.trigger_rule == "all_done"


def test_the_schedule_comes_from_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AEPIPE_SET",
        "'schedule.cron=15 3 * * *' schedule.retries=4 schedule.retry_delay_seconds=7 "
        "schedule.timeout_minutes=30 schedule.tags=ecg,nightly data.window=3",
    )
    dag = dag_of("anomaly")
    assert dag.schedule_interval == "15 3 * * *"
    assert set(dag.tags) == {"ecg", "nightly"}
    assert dag.catchup is False
    assert (dag.max_active_runs, dag.max_active_tasks) == (1, 1)
    for task in dag.tasks:
        assert task.retries == 4
        assert task.retry_delay == datetime.timedelta(seconds=7)
        assert task.retry_exponential_backoff is True
        assert task.execution_timeout == datetime.timedelta(minutes=30)


@pytest.mark.parametrize(("cron", "interval"), [("none", None), ("@hourly", "@hourly")])
def test_a_preset_or_no_schedule(
    cron: str, interval: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEPIPE_SET", f"schedule.cron={cron}")
    assert dag_of("basic").schedule_interval == interval


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("trainer.epoch=1", "did you mean trainer.epochs?"),
        ("'trainer.epochs=1", "AEPIPE_SET: No closing quotation"),
    ],
)
def test_a_wrong_setting_is_the_import_error_that_airflow_shows(
    variable: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEPIPE_SET", variable)
    found = dag_bag()
    assert found.dags == {}
    (error,) = found.import_errors.values()
    assert named in error


def test_the_dag_file_imports_nothing_that_is_slow() -> None:
    probe = (
        f"import sys; sys.path.insert(0, {str(DAGS_FOLDER)!r}); import aepipe_dags\n"
        "slow = {'tensorflow', 'tfx', 'apache_beam', 'keras', 'ml_metadata', 'tfx_bsl',\n"
        "        'tensorflow_data_validation', 'tensorflow_transform', 'matplotlib', 'pandas'}\n"
        "assert aepipe_dags.aepipe_anomaly\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


def test_a_pipeline_of_the_users_file_has_a_dag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.toml"
    text = """
    [heart]
    base = "anomaly"
    schedule.cron = "15 3 * * *"
    infra_validator.enabled = false
    """
    file.write_text(text)
    monkeypatch.setenv("AEPIPE_CONFIG", str(file))
    found = dag_bag()
    assert found.import_errors == {}
    heart = found.dags["aepipe_heart"]
    assert heart.timetable.summary == "15 3 * * *"
    assert "InfraValidator" not in heart.task_ids
    assert "InfraValidator" in found.dags["aepipe_anomaly"].task_ids
    file.write_text(text.replace("false", "0"))
    (error,) = dag_bag().import_errors.values()
    assert f"{file}:5: [heart] infra_validator.enabled=0: expected true or false" in error


def test_the_graphs_of_a_renamed_pipeline_are_its_own(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    for name in ("heart", "ward"):
        file.write_text(f'[{name}]\nbase = "basic"\npusher.model_name = "mine"')
        environ = {"AEPIPE_CONFIG": str(file), "AEPIPE_HOME": str(tmp_path / "home")}
        assert name in graph.stage_graphs(environ)
