"""`models.config` as TensorFlow Serving reads it."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.push_directory.models_config import write_models_config
from tests.serving.push_directory.whole_version import write_whole_version


def make_model(push_root: Path, name: str, *versions: int, **content: Any) -> None:
    for version in versions:
        write_whole_version(push_root / name / str(version))
    if content:
        (push_root / name / "versions.json").write_text(json.dumps(content))


def written(push_root: Path) -> dict[str, ModelConfig]:
    text = write_models_config(push_root).read_text()
    config = text_format.Parse(text, ModelServerConfig())
    assert config.WhichOneof("config") == "model_config_list"
    return {entry.name: entry for entry in config.model_config_list.config}


def test_each_model_with_a_version_is_named(tmp_path: Path) -> None:
    make_model(tmp_path, "ecg", 12)
    make_model(tmp_path, "images", 3, 4)
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden" / "1").mkdir(parents=True)
    (tmp_path / "file").write_text("")

    models = written(tmp_path)

    assert set(models) == {"ecg", "images"}
    assert models["ecg"].base_path == "/models/ecg"
    assert {entry.model_platform for entry in models.values()} == {"tensorflow"}
    assert models["images"].model_version_policy.latest.num_versions == 1


def test_a_push_directory_without_models_is_a_config_of_none(tmp_path: Path) -> None:
    assert written(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "versions", "labels"),
    [
        ({"withheld": [11]}, None, {}),
        ({"withheld": [13]}, [12], {}),
        ({"pinned": 13}, [13], {}),
        ({"pinned": 11}, [11], {}),
        ({"labels": {"stable": 12}}, [12, 13], {"stable": 12}),
        ({"labels": {"stable": 13}}, None, {"stable": 13}),
        ({"labels": {"stable": 12, "canary": 13}}, [12, 13], {"stable": 12, "canary": 13}),
        ({"labels": {"stable": 9}}, None, {}),
        # A request without a version would be answered by 13, which was rolled back.
        ({"labels": {"stable": 11, "canary": 13}, "withheld": [13]}, [11, 12], {"stable": 11}),
    ],
)
def test_the_version_policy_serves_what_the_version_file_says(
    tmp_path: Path, content: Any, versions: list[int] | None, labels: dict[str, int]
) -> None:
    make_model(tmp_path, "ecg", 11, 12, 13, **content)

    entry = written(tmp_path)["ecg"]

    assert dict(entry.version_labels) == labels
    policy = entry.model_version_policy
    if versions is None:
        assert policy.WhichOneof("policy_choice") == "latest"
    else:
        assert list(policy.specific.versions) == versions


def test_a_models_broken_file_leaves_its_entry_and_not_the_others(tmp_path: Path) -> None:
    make_model(tmp_path, "ecg", 11, 12, withheld=[12])
    make_model(tmp_path, "images", 3)
    before = written(tmp_path)["ecg"]
    (tmp_path / "ecg" / "versions.json").write_text("{")
    make_model(tmp_path, "images", 4, pinned=4)

    after = written(tmp_path)

    assert after["ecg"] == before
    assert list(after["images"].model_version_policy.specific.versions) == [4]


def test_a_broken_config_is_replaced(tmp_path: Path) -> None:
    make_model(tmp_path, "ecg", 12)
    (tmp_path / "models.config").write_text("model_config_list {")

    assert set(written(tmp_path)) == {"ecg"}


def push_many(push_root: Path, name: str) -> None:
    for version in range(1, 21):
        make_model(push_root, name, version, pinned=version)
        write_models_config(push_root)


def test_concurrent_writers_lose_no_change(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    context = multiprocessing.get_context("spawn")
    pushers = [context.Process(target=push_many, args=(tmp_path, name)) for name in names]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    assert [pusher.exitcode for pusher in pushers] == [0, 0, 0]

    text = (tmp_path / "models.config").read_text()
    config = text_format.Parse(text, ModelServerConfig())

    assert {
        entry.name: list(entry.model_version_policy.specific.versions)
        for entry in config.model_config_list.config
    } == {name: [20] for name in names}
    assert not list(tmp_path.glob(".models.config.[0-9]*"))
