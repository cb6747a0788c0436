import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformed_data import Transformed, train_in

from pipeline_config import SettingError, TrainerConfig, UserInputError
from trainer.cluster import ClusterTask, wait_seconds

TWO = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}


def tf_config(cluster: Any, kind: str = "chief", index: Any = 0) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "chief"),
    [
        (TWO, "chief", 0, True),
        (TWO, "worker", 0, False),
        (TWO, "worker", 1, False),
        ({"worker": ["a:1", "b:2"]}, "worker", 0, True),
        ({"worker": ["a:1", "b:2"]}, "worker", 1, False),
    ],
)
def test_one_process_is_the_chief(cluster: Any, kind: str, index: int, chief: bool) -> None:
    who = ClusterTask.from_environment({"TF_CONFIG": tf_config(cluster, kind, index)})

    assert who.is_chief is chief
    assert str(who) == f"{kind} {index} ({cluster[kind][index]})"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "TF_CONFIG is not set"),
        ("{", "not JSON"),
        ("[]", "no cluster"),
        ("{}", "no cluster"),
        (tf_config({}), "no cluster"),
        (tf_config({"worker": "a:1"}), "cluster.worker is no list"),
        (tf_config({"worker": []}), "cluster.worker is no list"),
        (tf_config({"worker": ["a"]}), "'a' is not host:port"),
        (tf_config({"worker": [1]}), "1 is not host:port"),
        (tf_config({"chief": ["a:1", "b:2"]}), "more than one"),
        (tf_config({"chief": ["a:1"], "ps": ["b:2"]}), "cluster.ps"),
        (json.dumps({"cluster": TWO}), "task.type is none of chief, worker"),
        (json.dumps({"cluster": TWO, "task": 1}), "task.type"),
        (tf_config(TWO, "evaluator"), "task.type"),
        (tf_config(TWO, "worker", 2), "task.index=2 is not 0 to 1"),
        (tf_config(TWO, "worker", -1), "task.index=-1"),
        (tf_config(TWO, "worker", "0"), "task.index='0'"),
        (tf_config(TWO, "worker", True), "task.index=True"),
    ],
)
def test_a_wrong_tf_config_is_reported_in_one_line(text: str, told: str) -> None:
    with pytest.raises(UserInputError) as error:
        ClusterTask.from_environment({"TF_CONFIG": text})

    assert told in str(error.value)
    assert '{"cluster": {' in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_wait_is_reported() -> None:
    assert wait_seconds({}) == 600
    assert wait_seconds({"AEPIPE_WORKER_WAIT": "7"}) == 7
    for text in ("0", "-1", "1.5", "soon", ""):
        with pytest.raises(UserInputError, match="AEPIPE_WORKER_WAIT="):
            wait_seconds({"AEPIPE_WORKER_WAIT": text})


def test_an_unknown_distribution_is_reported() -> None:
    with pytest.raises(SettingError, match=r"trainer\.distribution='all'"):
        TrainerConfig(distribution="all")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "TF_CONFIG is not set"),
        ({"TF_CONFIG": tf_config(TWO)}, "AEPIPE_WORKER_ARGS is not set"),
        ({"TF_CONFIG": tf_config(TWO, "worker")}, r"this is worker 0 \(b:2\), and a run is the"),
        (
            {"TF_CONFIG": tf_config(TWO), "AEPIPE_WORKER_ARGS": "/no/such/folder/file"},
            "/no/such/folder/file: cannot be written",
        ),
    ],
)
def test_a_run_that_cannot_lead_says_so(
    environment: dict[str, str],
    told: str,
    beats: Transformed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TF_CONFIG", "AEPIPE_WORKER_ARGS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(UserInputError, match=told):
        train_in(tmp_path / "t", beats, "AnomalyDetector", "mae", distribution="multi_worker")

    assert not (tmp_path / "t" / "model").exists()


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("chief", None, "the chief: its training is the Trainer stage"),
        ("worker", None, "not there after 1 s"),
        ("worker", "{}", "not a training's file"),
    ],
)
def test_a_worker_that_cannot_follow_says_so(
    kind: str, content: str | None, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "training.json"
    if content is not None:
        file.write_text(content)

    done = subprocess.run(
        [sys.executable, "-m", "trainer.worker", "--args", file],
        env={"TF_CONFIG": tf_config(TWO, kind), "AEPIPE_WORKER_WAIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
