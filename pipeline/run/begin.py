"""Whether a scheduled run has anything to do, found out without TFX."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from components.schema.curated import SCHEMA_DIRECTORY
from data.facts import DataFacts
from pipeline.fingerprint import REPOSITORY, source_fingerprint
from pipeline.run.outcome import RunOutcome
from pipeline.settings import SECTIONS
from pipeline_config import PipelineConfig, section_as_dict


def inputs_sha256(config: PipelineConfig, facts: DataFacts) -> str:
    """Returns a digest of all that a run's result depends on: data, spans, settings and code."""
    inputs = {
        "data": facts.sha256,
        "spans": [span.number for span in facts.spans],
        "previous_span": facts.previous_span.sha256 if facts.previous_span else None,
        "pipeline": [config.name, config.model, config.loss],
        "schema": (SCHEMA_DIRECTORY / config.schema).read_text(),
        "settings": {name: section_as_dict(getattr(config, name)) for name in SECTIONS},
        "code": source_fingerprint("components", "trainer", "serving"),
        "stages": (REPOSITORY / "pipeline" / "build.py").read_text(),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def standing_result(
    config: PipelineConfig, inputs: str, past: Sequence[RunOutcome]
) -> RunOutcome | None:
    """Returns the pipeline's last run if another one would come to the same result.

    That is a run with the same inputs that came to a verdict: a refusal is one too, and comes out
    alike each time. A failure is none, as its cause (a full disk, a file without rights) may be
    gone while data and settings are the same; nor is a push of which the version is gone.

    Args:
        config: The pipeline.
        inputs: `inputs_sha256` of the run that might start.
        past: Runs, newest first.
    """
    last = next((run for run in past if run.pipeline == config.name), None)
    if (
        last is None
        or last.inputs_sha256 != inputs
        or last.status
        in (
            "failed",
            "interrupted",
        )
    ):
        return None
    if last.pushed and not Path(last.pushed).is_dir():
        return None
    return last
