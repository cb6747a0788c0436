"""The beginning of a run: the data that it reads, whether they are new, the compiled pipeline.

The choice holds for the whole run: a span that arrives meanwhile, or another setting, changes
nothing of a run that has begun.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from components.schema import read_schema
from data.choice import RunData, choose_data
from data.sources import resolve
from pipeline.fingerprint import REPOSITORY, source_fingerprint
from pipeline.home import DATA_CACHE, Home
from pipeline.run.history import past_runs
from pipeline.run.outcome import RunOutcome
from pipeline.run.record import RunRecord
from pipeline.settings import SECTIONS
from pipeline_config import PipelineConfig, section_as_dict


def read_data(config: PipelineConfig, home: Home, data_dir: Path | None = None) -> RunData:
    """Returns a pipeline's data: their folder, and which of its files to read.

    Args:
        config: The pipeline.
        home: The output folder; its past runs say which spans were refused.
        data_dir: Folder of raw data; None to look for it.

    Raises:
        UserInputError: There are none, or not as they should be.
        DownloadError: The server of the tutorial's data was reached but did not deliver.
    """
    source = resolve(config, data_dir=data_dir, environ=os.environ, cache_dir=DATA_CACHE)
    read = choose_data(config, source, past_runs(home))
    if source.notice:
        return dataclasses.replace(read, notices=(source.notice, *read.notices))
    return read


def unchanged_outcome(read: RunData, home: Home) -> RunOutcome | None:
    """Returns the outcome of a run with no new data, or None if there is something to run."""
    last = previous_outcome(read, past_runs(home))
    if last is None:
        return None
    ended = f"{last.status}: {last.reasons[0]}" if last.reasons else last.status
    reason = f"nothing has changed since run {last.run_id}, which ended with {ended}"
    return dataclasses.replace(
        last, status="no new data", reasons=[reason], notices=[], seconds={}, cached=[]
    )


def previous_outcome(read: RunData, past: Sequence[RunOutcome]) -> RunOutcome | None:
    """Returns the pipeline's last run, of those newest first, if another would end like it.

    That is a run with the same inputs that ended with a verdict: a refusal is one too, and would be
    the same again. A failure is none, as its cause (a full disk, a file without rights) may be
    gone while data and settings are the same; nor is a push of which the version is gone.
    """
    runs = (run for run in past if run.pipeline == read.config.name and run.status != "tuned")
    last = next(runs, None)
    if last is None or last.status in ("failed", "interrupted"):
        return None
    if last.pushed and not Path(last.pushed).is_dir():
        return None
    return last if last.inputs_sha256 == inputs_sha256(read) else None


def inputs_sha256(read: RunData) -> str:
    """Returns a digest of all that a run's result depends on: data, spans, settings and code."""
    config, facts = read.config, read.facts
    # The schema counts by its content, wherever its file is.
    data = dataclasses.replace(config.data, schema="")
    config = dataclasses.replace(config, data=data)
    inputs = {
        "data": facts.sha256,
        "spans": [span.number for span in facts.spans],
        "previous_span": facts.previous_span.sha256 if facts.previous_span else None,
        "pipeline": [config.name, config.model, config.loss],
        "schema": read_schema(read.config),
        "settings": {name: section_as_dict(getattr(config, name)) for name in SECTIONS},
        "code": source_fingerprint("components", "trainer", "serving"),
        "stages": (REPOSITORY / "pipeline" / "build.py").read_text(),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def begin_run(
    record: RunRecord,
    read: RunData,
    *,
    beam_args: Sequence[str],
    cache: bool = True,
    rerun_from: str | None = None,
) -> list[str]:
    """Records what a run reads, and compiles its pipeline into its folder.

    Call this while holding the pipeline's lock.

    Args:
        record: Of the run.
        read: Its data.
        beam_args: Options of Beam's pipelines.
        cache: Whether a stage's result of an earlier run may be taken.
        rerun_from: Stage that runs again, with all that follows it, even if it is cached.

    Returns:
        The stages, in an order in which they can run.

    Raises:
        UserInputError: There is no stage `rerun_from`, or the metadata file cannot be used.
    """
    record.update(data=read.facts, notices=[*read.notices], inputs_sha256=inputs_sha256(read))
    # The models are Keras 3 on TensorFlow, whatever Keras settings a user has.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from pipeline.build import build_pipeline
    from pipeline.run.cached_outputs import mark_incomplete
    from pipeline.run.compiled import compile_run, write_compiled

    home = record.home
    mark_incomplete(home, read.config.name)
    pipeline = build_pipeline(
        read.config,
        data_directory=read.facts.directory,
        data_sha256=read.facts.sha256,
        home=home,
        beam_args=beam_args,
        cache=cache,
        files=read.files,
    )
    compiled = compile_run(pipeline, record.outcome.run_id, rerun_from)
    write_compiled(compiled, record.directory)
    return [node.pipeline_node.node_info.id for node in compiled.nodes]
