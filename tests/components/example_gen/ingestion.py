"""Runs an ExampleGen without a pipeline, or alone in one, and reads what it wrote."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from google.protobuf import message
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact
from tfx.utils import proto_utils

from components.example_gen.component import example_gen
from pipeline_config import CALIBRATION_SPLIT, ImageData, SignalData, UserInputError

# The second argument keeps TFX from packing its own source for remote workers.
BEAM_ARGS = ["--runner=FnApiRunner", "--sdk_container_image=none"]


class Ingested(NamedTuple):
    """One ingested example."""

    value: tuple[float, ...] | bytes
    label: int
    example_id: str


Splits = dict[str, set[Ingested]]


def exec_properties(folder: Path | str, data: SignalData | ImageData, **options: Any) -> dict:
    """Returns what the executor gets, before a driver has resolved the files."""
    component = example_gen(str(folder), data, fingerprint="test", **options)
    return {
        key: proto_utils.proto_to_json(value) if isinstance(value, message.Message) else value
        for key, value in component.spec.exec_properties.items()
    }


def execute(scratch: Path, folder: Path, data: SignalData | ImageData, **options: Any) -> Artifact:
    """Runs the executor over a folder; each call writes examples of its own."""
    component = example_gen(str(folder), data, fingerprint="test", **options)
    examples = standard_artifacts.Examples()
    examples.uri = str(scratch / "examples" / str(len(list(scratch.glob("examples/*")))))
    context = BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(scratch))
    executor = component.executor_spec.executor_class(context)
    executor.Do({}, {"examples": [examples]}, exec_properties(folder, data, **options))
    return examples


def run_pipeline(scratch: Path, component: BaseComponent) -> metadata_store_pb2.Artifact:
    """Runs a pipeline of one component and returns its newest output artifact."""
    connection = metadata.sqlite_metadata_connection_config(str(scratch / "metadata.sqlite"))
    LocalDagRunner().run(
        Pipeline(
            pipeline_name="ingest",
            pipeline_root=str(scratch / "root"),
            components=[component],
            enable_cache=True,
            metadata_connection_config=connection,
            beam_pipeline_args=BEAM_ARGS,
        )
    )
    store = metadata_store.MetadataStore(connection)
    return max(store.get_artifacts_by_type("Examples"), key=lambda artifact: artifact.id)


def read_splits(uri: str) -> Splits:
    """Reads the examples of an Examples artifact's URI; `calibration` if it was written."""
    folders = {split: Path(uri, f"Split-{split}") for split in ("train", CALIBRATION_SPLIT, "eval")}
    return {
        split: set(_read_split(folder))
        for split, folder in folders.items()
        if split != CALIBRATION_SPLIT or folder.exists()
    }


def fault_of(ingest: Callable[[], object]) -> str:
    """Returns the line that the user gets to read when ingestion fails."""
    try:
        ingest()
    except UserInputError as error:
        return str(error)
    except RuntimeError as error:
        # Beam hands on the text of what a worker raised.
        found = re.search(r"UserInputError: (.*?)(?: \[while running.*)?$", str(error), re.M)
        if not found:
            raise
        return found[1]
    raise AssertionError("ingestion did not fail")


def _read_split(folder: Path) -> Iterator[Ingested]:
    files = sorted(str(path) for path in folder.iterdir())
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        (label,) = features["label"].int64_list.value
        (example_id,) = features["example_id"].bytes_list.value
        value: tuple[float, ...] | bytes = tuple(features["signal"].float_list.value)
        if "image" in features:
            (value,) = features["image"].bytes_list.value
        yield Ingested(value, label, example_id.decode())
