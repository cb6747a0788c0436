"""The executor on real artifacts, and its check of the copy."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import (
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    PushedModel,
)
from tfx.utils import path_utils

from components.versioned_pusher import component
from components.versioned_pusher.component import BrokenCopyError, Executor, check_copy
from pipeline_config import PusherConfig, UserInputError
from serving.push_directory.layout import list_versions, model_folder
from serving.push_directory.model_versions import served_version
from tests.components.artifacts import ArtifactFolder, example
from tests.serving.push_directory.whole_version import write_whole_version

SIGNALS = np.arange(24, dtype=np.float32).reshape(6, 4)
IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


class Doubler(tf.Module):
    """Serves twice its input, named and shaped like a raw feature."""

    def __init__(self, name: str, shape: tuple[int, ...], factor: float = 2.0) -> None:
        super().__init__()
        self.factor = tf.Variable(factor)
        self._input = tf.TensorSpec([None, *shape], tf.float32, name=name)

    def save(self, directory: Path) -> None:
        def serve(raw: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"reconstruction": raw * self.factor, "error": tf.reduce_sum(raw, axis=1)}

        function = tf.function(serve, input_signature=[self._input])
        tf.saved_model.save(self, str(directory), {"serving_default": function})


class Bench(ArtifactFolder):
    """A blessed model and what goes with it, and a push directory beside them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.push_root = folder / "serving"
        self.model = self.artifact(Model)
        self.saved_model = Path(path_utils.serving_model_dir(self.model.uri))
        Doubler("signal", (4,)).save(self.saved_model)
        self.blessing = self.artifact(ModelBlessing)
        self.blessing.set_string_custom_property("judged_model", self.model.uri)
        self.blessing.set_int_custom_property("blessed", 1)
        self.infra_blessing = self.artifact(InfraBlessing)
        self.infra_blessing.set_int_custom_property("blessed", 1)
        self.evaluation = self.artifact(ModelEvaluation)
        Path(self.evaluation.uri, "evaluation.json").write_text(
            json.dumps({"metrics": {"f1": 0.9}, "threshold": 0.5, "blessed": True, "reasons": []})
        )

    def push(
        self, examples: Artifact | None = None, run_id: str | None = None, **config: Any
    ) -> Any:
        pushed = self.artifact(PushedModel)
        inputs = {
            "model": [self.model],
            "model_blessing": [self.blessing],
            "evaluation": [self.evaluation],
        }
        if self.infra_blessing is not None:
            inputs["infra_blessing"] = [self.infra_blessing]
        if examples is not None:
            inputs["examples"] = [examples]
        settings = PusherConfig(model_name="doubler", **config)
        properties = {
            "push_root": str(self.push_root),
            "config": json.dumps(dataclasses.asdict(settings)),
            "run": json.dumps({"pipeline": "test", "data": {"sha256": "0123"}}),
            "fingerprint": "",
        }
        context = BaseExecutor.Context(pipeline_run_id=run_id) if run_id else None
        Executor(context).Do(inputs, {"pushed_model": [pushed]}, properties)
        return pushed


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def warmup_requests(version: Path) -> list[Any]:
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    return [
        prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        for record in tf.data.TFRecordDataset(str(file))
    ]


def test_a_blessed_model_is_pushed_with_all_that_a_server_needs(bench: Bench) -> None:
    for version in (1, 2):
        write_whole_version(bench.push_root / "doubler" / str(version))

    pushed = bench.push(bench.examples(eval=[map(example, SIGNALS)]), keep=2, warmup_requests=3)

    version = pushed.get_string_custom_property("pushed_version")
    destination = Path(pushed.get_string_custom_property("pushed_destination"))
    assert pushed.get_int_custom_property("pushed") == 1
    assert destination == bench.push_root / "doubler" / version
    assert list_versions(destination.parent) == [2, int(version)]
    assert {path.name for path in destination.iterdir()} >= {
        "saved_model.pb",
        "variables",
        "fingerprint.pb",
        "assets.extra",
        "aepipe.json",
    }
    manifest = json.loads((destination / "aepipe.json").read_text())
    assert manifest["version"] == int(version)
    assert (manifest["model"], manifest["pipeline"]) == ("doubler", "test")
    assert manifest["data"] == {"sha256": "0123"}
    assert manifest["metrics"] == {"f1": 0.9}
    assert manifest["signatures"]["serving_default"]["inputs"] == {
        "signal": {"dtype": "float32", "shape": [None, 4]}
    }
    requests = warmup_requests(destination)
    assert {request.model_spec.name for request in requests} == {"doubler"}
    assert {request.model_spec.signature_name for request in requests} == {"serving_default"}
    np.testing.assert_array_equal(
        np.concatenate([tf.make_ndarray(request.inputs["signal"]) for request in requests]),
        SIGNALS[:3],
    )


def test_a_push_keeps_the_pinned_version_served_by_tensorflow_serving_too(bench: Bench) -> None:
    folder = bench.push_root / "doubler"
    for version in (1, 2):
        write_whole_version(folder / str(version))
    (folder / "versions.json").write_text('{"pinned": 1}')

    bench.push(keep=1)

    assert served_version(folder) == 1
    assert len(list_versions(folder)) == 2
    text = (bench.push_root / "models.config").read_text()
    (entry,) = text_format.Parse(text, ModelServerConfig()).model_config_list.config
    assert entry.name == "doubler"
    assert list(entry.model_version_policy.specific.versions) == [1]


def test_a_malformed_version_file_is_reported_before_anything_is_pushed(bench: Bench) -> None:
    folder = bench.push_root / "doubler"
    (folder / "1").mkdir(parents=True)
    (folder / "versions.json").write_text('{"pinned": "1"}')

    with pytest.raises(UserInputError, match=r"versions\.json: '1' is not a version"):
        bench.push()

    assert list_versions(folder) == [1]


def test_a_push_whose_record_was_lost_is_found_and_not_made_twice(bench: Bench) -> None:
    examples = bench.examples(eval=[map(example, SIGNALS)])
    folder = bench.push_root / "doubler"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "aepipe.json").write_text("not ours")

    first = bench.push(examples, run_id="run-1")
    again = bench.push(examples, run_id="run-1")
    by_another_run = bench.push(examples, run_id="run-2")

    key = "pushed_version"
    pushed = int(first.get_string_custom_property(key))
    assert list_versions(folder) == [1, pushed]
    for found in (again, by_another_run):
        assert found.get_string_custom_property(key) == str(pushed)
        assert found.get_int_custom_property("pushed") == 1
        assert Path(found.uri, "saved_model.pb").is_file()
    assert again.get_string_custom_property("notice") == ""
    assert "run run-1 had pushed this model" in by_another_run.get_string_custom_property("notice")
    assert not list(folder.glob(".pushing-*"))


@pytest.mark.parametrize("other", ["model", "metrics", "warm-up", "rolled back", "damaged"])
def test_what_differs_from_the_newest_version_is_pushed(bench: Bench, other: str) -> None:
    examples = bench.examples(eval=[map(example, SIGNALS)])
    first = bench.push(examples, run_id="run-1")
    folder = bench.push_root / "doubler"
    (pushed,) = list_versions(folder)
    settings = {}
    if other == "model":
        source = bench.model.uri
        bench.model = bench.artifact(Model)
        shutil.copytree(source, bench.model.uri, dirs_exist_ok=True)
        bench.blessing.set_string_custom_property("judged_model", bench.model.uri)
    elif other == "metrics":
        Path(bench.evaluation.uri, "evaluation.json").write_text('{"metrics": {"f1": 0.8}}')
    elif other == "warm-up":
        settings = {"warmup_requests": 1}
    elif other == "rolled back":
        (folder / "versions.json").write_text(json.dumps({"withheld": [pushed]}))
    else:
        (folder / str(pushed) / "saved_model.pb").write_bytes(b"")

    second = bench.push(examples, run_id="run-2", **settings)

    destinations = [p.get_string_custom_property("pushed_destination") for p in (first, second)]
    assert len({*destinations}) == len(list_versions(folder)) == 2


def test_a_push_of_which_the_rest_fails_is_a_push(bench: Bench) -> None:
    (bench.push_root / "models.config").mkdir(parents=True)

    pushed = bench.push(run_id="run-1")

    (version,) = list_versions(bench.push_root / "doubler")
    assert pushed.get_string_custom_property("pushed_version") == str(version)
    assert "not tidied up after" in pushed.get_string_custom_property("notice")


def test_an_unreadable_source_is_named_and_not_the_push_directory(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = bench.saved_model
    copy_dir = component.io_utils.copy_dir

    def copy_or_lose(source: str, target: str) -> None:
        if ".pushing-" in target:
            (model / "saved_model.pb").unlink()
            (model / "saved_model.pb").symlink_to("nowhere")
        copy_dir(source, target)

    monkeypatch.setattr(component.io_utils, "copy_dir", copy_or_lose)

    with pytest.raises(UserInputError, match=f"copied to .*: {model}/saved_model.pb: No such"):
        bench.push()

    assert list_versions(bench.push_root / "doubler") == []


@pytest.mark.parametrize("name", ["../../x", "a/b", "", ".hidden", "..", "-x", "a b"])
def test_a_model_is_pushed_below_the_push_directory_only(bench: Bench, name: str) -> None:
    with pytest.raises(UserInputError, match="expected a model name"):
        model_folder(bench.push_root, name)


def test_without_a_blessing_nothing_is_pushed(bench: Bench) -> None:
    bench.blessing.set_int_custom_property("blessed", 0)

    pushed = bench.push()

    assert pushed.get_int_custom_property("pushed") == 0
    assert not bench.push_root.exists()


def test_a_blessing_of_another_model_is_refused(bench: Bench) -> None:
    bench.blessing.set_string_custom_property("judged_model", "elsewhere")

    with pytest.raises(ValueError, match="the blessing is of elsewhere"):
        bench.push()


def test_a_model_that_nothing_has_loaded_is_pushed_with_a_notice(bench: Bench) -> None:
    bench.infra_blessing = None

    pushed = bench.push()

    assert pushed.get_int_custom_property("pushed") == 1
    assert "no process has loaded it" in pushed.get_string_custom_property("notice")


def other_weights(copy: Path) -> None:
    Doubler("signal", (4,), factor=2.01).save(copy)


def truncated_weights(copy: Path) -> None:
    next((copy / "variables").glob("variables.data-*")).write_bytes(b"")


def no_weights(copy: Path) -> None:
    next((copy / "variables").glob("variables.data-*")).unlink()


def a_file_more(copy: Path) -> None:
    (copy / "assets" / "vocabulary").write_text("")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_weights, "differs from the judged model's$"),
        (truncated_weights, r"variables\.data-00000-of-00001 differs from the judged model's$"),
        (no_weights, r"variables\.data-00000-of-00001 is missing in the copied model$"),
        (a_file_more, "assets/vocabulary differs from the judged model's$"),
    ],
)
def test_a_copy_that_is_not_the_model_is_refused(tmp_path: Path, spoil: Any, message: str) -> None:
    model, copy = tmp_path / "model", tmp_path / "copy"
    Doubler("signal", (4,)).save(model)
    shutil.copytree(model, copy)
    check_copy(str(model), copy)
    spoil(copy)

    with pytest.raises(BrokenCopyError, match=message):
        check_copy(str(model), copy)


def test_signals_of_channels_become_warm_up_requests(bench: Bench) -> None:
    Doubler("signal", (2, 2)).save(bench.saved_model)

    pushed = bench.push(bench.examples(eval=[map(example, SIGNALS)]), warmup_requests=5)

    requests = warmup_requests(Path(pushed.get_string_custom_property("pushed_destination")))
    given = [tf.make_ndarray(request.inputs["signal"]) for request in requests]
    np.testing.assert_array_equal(np.concatenate(given), SIGNALS[:5].reshape(5, 2, 2))


def test_images_become_warm_up_requests(bench: Bench) -> None:
    Doubler("image", (3, 4)).save(bench.saved_model)

    pushed = bench.push(bench.examples(eval=[map(example, IMAGES)]), warmup_requests=5)

    requests = warmup_requests(Path(pushed.get_string_custom_property("pushed_destination")))
    images = [tf.make_ndarray(request.inputs["image"]) for request in requests]
    assert {image.dtype for image in images} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(np.concatenate(images), IMAGES)
