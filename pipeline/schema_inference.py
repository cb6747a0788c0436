"""`aepipe data schema`: a schema inferred from the data as a run reads them.

The stages of a run up to its statistics are run in a folder of their own, so that formats, labels,
windows and splits are those of `aepipe run`.
"""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from data.facts import DataFacts
from pipeline.beam_profiles import beam_arguments
from pipeline.home import Home, new_run_id
from pipeline.run.begin import begin_run, read_data
from pipeline.run.failures import user_mistake
from pipeline.run.log import logs_to_file
from pipeline.run.record import open_record
from pipeline.settings import with_values
from pipeline_config import PipelineConfig, UserInputError
from serving.push_directory import durable_files

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

_STAGES = ("ExampleGen", "SchemaGen", "StatisticsGen")


@dataclasses.dataclass(frozen=True)
class WrittenSchema:
    """An inferred schema.

    Attributes:
        pipeline: The pipeline whose data it was inferred from.
        schema: The file.
        data: Folder that was read.
        examples: How many examples.
        least: Least value of a signal; None for images.
        greatest: Greatest value of a signal.
    """

    pipeline: str
    schema: Path
    data: str
    examples: int
    least: float | None
    greatest: float | None


def write_inferred_schema(
    config: PipelineConfig, data_dir: Path | None, out: Path, *, replace: bool
) -> WrittenSchema:
    """Infers a pipeline's schema and writes it with comments.

    Args:
        config: The pipeline, with the settings that its data are read by.
        data_dir: Folder of raw data; None to look for it as a run does.
        out: File to write.
        replace: Whether a file that is there may be replaced.

    Raises:
        UserInputError: The data are wrong, or the file is there or cannot be written.
    """
    if out.exists() and not replace:
        raise UserInputError(
            f"--out {out}: is there already, and may have been reviewed: name another file, or "
            "replace it with --force"
        )
    if not out.parent.is_dir():
        raise UserInputError(f"--out {out}: there is no folder {out.parent}")
    # What is to be written may be missing, and one span is not compared with another.
    config = with_values(
        config,
        {"data.schema": "", "gate.drift_threshold": 1.0, "gate.label_drift_threshold": 1.0},
    )
    with tempfile.TemporaryDirectory() as folder:
        facts, splits = _statistics(config, data_dir, Home(Path(folder)))
    from components.schema.curated import schema_of
    from components.schema.inferred import commented, inferred_schema, seen_range

    schema = inferred_schema(splits, schema_of(config))
    examples = sum(statistics.datasets[0].num_examples for statistics in splits)
    text = commented(schema, splits, _header(config, out, facts, examples))
    least, greatest = seen_range(splits, config.data.feature) or (None, None)
    try:
        durable_files.write_text(out, text)
    except OSError as error:
        raise UserInputError(f"--out {out}: {error.strerror or error}") from error
    return WrittenSchema(config.name, out, facts.directory, examples, least, greatest)


def _header(config: PipelineConfig, out: Path, facts: DataFacts, examples: int) -> list[str]:
    return [
        f"Examples of pipeline {config.name}, as TFDV infers them from {examples:,} examples in",
        facts.directory,
        "For a person to review: a run refuses data that are not so.",
        f"It is in force with data.schema = {json.dumps(out.name)} in the pipeline's table of the",
        f"file for --config, if it lies beside that file, or with --set data.schema={out}",
    ]


def _statistics(
    config: PipelineConfig, data_dir: Path | None, home: Home
) -> tuple[DataFacts, list["DatasetFeatureStatisticsList"]]:
    """Returns what was read, and TFDV's statistics of each split that has examples."""
    home.prepare(config)
    read = read_data(config, home, data_dir)
    run_id = new_run_id(config.name)
    try:
        with (
            open_record(home, config.name, run_id) as record,
            logs_to_file(record.log, verbose=False),
        ):
            begin_run(record, read, beam_args=beam_arguments("local", ()))
            from pipeline.run.stage import run_stage

            for stage in _STAGES:
                run_stage(record, stage)
    except Exception as error:
        line = user_mistake(error)
        if line is None:
            raise
        raise UserInputError(line) from error
    return read.facts, _read_statistics(home, config, run_id)


def _read_statistics(
    home: Home, config: PipelineConfig, run_id: str
) -> list["DatasetFeatureStatisticsList"]:
    from tfx.components.statistics_gen.stats_artifact_utils import load_statistics
    from tfx.types.standard_artifacts import ExampleStatistics

    from pipeline.run.lineage import open_store, output_artifacts, run_executions

    store = open_store(home, config.name)
    outputs = output_artifacts(store, run_executions(store, run_id), _STAGES[-1])
    artifact = ExampleStatistics()
    artifact.set_mlmd_artifact(outputs["statistics"])
    found = [load_statistics(artifact, split).proto() for split in config.data.splits]
    return [statistics for statistics in found if statistics.datasets[0].num_examples]
