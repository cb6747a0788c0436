"""What came of one run, as told on the terminal, in `run --json` and in the run's folder."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

Status = Literal["pushed", "unchanged", "no new data", "not_blessed", "data_refused", "failed"]

EXIT_CODES: dict[Status, int] = {
    "pushed": 0,
    "unchanged": 0,
    "no new data": 0,
    "not_blessed": 3,
    "data_refused": 3,
    "failed": 2,
}

OUTCOME_FILE = "run.json"
REPORT_FILE = "report.html"
BEGUN_FILE = "begun.json"
"""Of a scheduler's run: the outcome as far as it was known when the data were chosen."""


@dataclasses.dataclass(frozen=True)
class SpanFacts:
    """One span that a run read.

    Attributes:
        number: TFX's span number; of a date, days since 1970-01-01.
        name: The number, or the date as `2024-05-31`.
        version: The version that was read; None where spans have none.
        sha256: Digest over names and contents of the span's files.
    """

    number: int
    name: str
    version: int | None
    sha256: str


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """Which data a run read.

    Attributes:
        source: `given`, `downloaded` or `sample`.
        directory: The folder that was read.
        sha256: Digest over names and contents of the files that the model is made of; empty where
            a run on Kubeflow Pipelines tells of it, as the spans'.
        examples: Examples by split; empty where the run ended before they were counted.
        spans: The spans of these files, oldest first; empty where data does not come in spans.
        previous_span: The span that the newest one was compared with; None where there is none.
        drift: Distance of the newest span from `previous_span` by feature, 0 to 1.
        files: How many files `sha256` was made of; None where a run on Kubeflow Pipelines tells.
        bytes: Their size together, as they lie on the disk.
    """

    source: str
    directory: str
    sha256: str
    examples: dict[str, int] = dataclasses.field(default_factory=dict)
    spans: list[SpanFacts] = dataclasses.field(default_factory=list)
    previous_span: SpanFacts | None = None
    drift: dict[str, float] = dataclasses.field(default_factory=dict)
    files: int | None = None
    bytes: int | None = None


@dataclasses.dataclass(frozen=True)
class RunOutcome:
    """One run.

    Attributes:
        pipeline: Name of the pipeline.
        run_id: Name of the run, also its pipeline-run context in MLMD. With `no new data`, the
            earlier run whose result stands.
        status: `pushed`: a new version is served; `unchanged`: all came from the cache;
            `no new data`: nothing was run, as asked for where nothing has changed;
            `not_blessed`: the model gate or the infra validator refused; `data_refused`: the
            data gate refused;
            `failed`: the user's input or setting was wrong.
        data: Which data was read; None where none was found.
        metrics: Metric name -> value; None for one that is not defined on this data.
        threshold: Reconstruction error above which an example is an anomaly; None for a pipeline
            without one.
        blessed: Whether the evaluator, and the infra validator where there is one, blessed the
            model; None where the run ended before that.
        reasons: A sentence for each reason of a refusal or failure.
        notices: What a reader has to know beside that, such as that the data was a sample.
        pushed: Folder of the version that this run pushed, or found pushed by an earlier run
            with the same result; None where nothing was pushed.
        report: The HTML report, or None.
        log: The run's log file.
        seconds: Wall-clock time by stage, and `total`.
        cached: Stages whose result was found in the cache.
        inputs_sha256: Digest of data, settings and code; None where the run ended before it.
    """

    pipeline: str
    run_id: str
    status: Status
    data: DataFacts | None = None
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)
    threshold: float | None = None
    blessed: bool | None = None
    reasons: list[str] = dataclasses.field(default_factory=list)
    notices: list[str] = dataclasses.field(default_factory=list)
    pushed: str | None = None
    report: str | None = None
    log: str | None = None
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    cached: list[str] = dataclasses.field(default_factory=list)
    inputs_sha256: str | None = None

    @property
    def exit_code(self) -> int:
        """What the command ends with for this run."""
        return EXIT_CODES[self.status]

    def as_dict(self) -> dict[str, Any]:
        """Returns the run as JSON values."""
        return dataclasses.asdict(self)


def write_outcome(outcome: RunOutcome, directory: Path) -> Path:
    """Writes the outcome as `run.json` into the run's folder and returns its path."""
    path = directory / OUTCOME_FILE
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(outcome.as_dict(), indent=2))
    partial.rename(path)
    return path
