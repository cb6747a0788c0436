"""The outcome of one run, as shown on the terminal, in `run --json` and in the run's folder."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from data.facts import DataFacts, SpanFacts
from pipeline_config import is_name
from serving.push_directory.durable_files import publish

Status = Literal[
    "pushed",
    "unchanged",
    "no new data",
    "not_blessed",
    "data_refused",
    "failed",
    "interrupted",
    "tuned",
]

EXIT_CODES: dict[Status, int] = {
    "pushed": 0,
    "unchanged": 0,
    "no new data": 0,
    "tuned": 0,
    "not_blessed": 3,
    "data_refused": 3,
    "failed": 2,
    # 128 and SIGINT's number; `aepipe run` itself ends with that of the signal it got.
    "interrupted": 130,
}

VERDICTS: dict[Status, tuple[str, str]] = {
    "pushed": ("blessed and pushed", ""),
    "no new data": ("no new data", ", nothing run"),
    "unchanged": ("nothing changed", ", nothing pushed"),
    "not_blessed": ("not blessed", ", nothing pushed"),
    "data_refused": ("refused by the data gate", ", nothing trained or pushed"),
    "failed": ("failed", ", nothing pushed"),
    "interrupted": ("interrupted", ", nothing pushed"),
    "tuned": ("tuned", ", nothing pushed"),
}
"""What a person reads of a status: what came of the run, and what did not."""

BOUND_ORIGINS = {
    "setting": "your setting",
    "tutorial": "the tutorial's",
    "default": "default",
}
"""What a person reads of the origin of a bound."""

OUTCOME_FILE = "run.json"
NUMBER_KEY = "number"
"""Key of the run's number in `run.json`."""
REPORT_FILE = "report.html"
LOG_FILE = "log.txt"
RESERVED_BYTES = 32768
"""More than the outcome of a run takes that read a hundred spans, with fifty classes."""


@dataclasses.dataclass(frozen=True)
class RunOutcome:
    """One run.

    Attributes:
        pipeline: Name of the pipeline.
        run_id: Name of the run, also its pipeline-run context in MLMD. With `no new data`, the
            earlier run whose result is still valid.
        status: `pushed`: a new version is served; `unchanged`: all came from the cache;
            `no new data`: nothing was run, as asked for when nothing has changed;
            `not_blessed`: the model gate or the infra validator refused; `data_refused`: the
            data gate refused;
            `failed`: the user's input or setting was wrong;
            `interrupted`: a signal ended the run before its time, and it had pushed nothing;
            `tuned`: settings were searched on what the stages up to Transform made.
        data: Which data was read; None if none was found.
        metrics: Metric name -> value; None for one that is not defined on this data. What takes
            labels is absent if there are none.
        bounds: What the metrics were held against: `metric`, `side` (`lower` or `upper`), `value`
            and `origin`: `setting` (the user's), `tutorial` or `default`.
        classes: Of a detector, class's own name -> `label`, `examples`, `alarms` and `recall` on
            the labelled eval examples; empty without labels.
        threshold: Reconstruction error above which an example is an anomaly; None for a pipeline
            without one.
        blessed: Whether the evaluator, and the infra validator if there is one, blessed the
            model; None if the run ended before that.
        reasons: A sentence for each reason of a refusal or failure.
        notices: What a reader must not miss, such as that the data was a sample.
        pushed: Folder of the version that this run pushed, or found pushed by an earlier run
            with the same result; None if nothing was pushed.
        report: The HTML report, or None.
        log: The run's log file.
        seconds: Wall-clock time by stage, and `total`.
        cached: Stages whose result was found in the cache.
        inputs_sha256: Digest of data, settings and code; None if the run ended before it.
    """

    pipeline: str
    run_id: str
    status: Status
    data: DataFacts | None = None
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)
    bounds: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    classes: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
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


def outcome_from_dict(values: Mapping[str, Any]) -> RunOutcome:
    """Reads `RunOutcome.as_dict` back.

    Fields that this version does not have are left out, those that are absent get their default.

    Raises:
        ValueError: It is not the outcome of a run.
    """
    try:
        known = _known_fields(RunOutcome, values)
        if known.get("data") is not None:
            known["data"] = _data_facts(known["data"])
        outcome = RunOutcome(**known)
        EXIT_CODES[outcome.status]
        # A run's folder is named by it.
        if not is_name("run", outcome.run_id):
            raise ValueError(f"not the outcome of a run: {outcome.run_id!r} is no name of one")
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"not the outcome of a run: {error}") from error
    return outcome


def read_outcome(directory: Path) -> RunOutcome:
    """Returns the outcome in a run's folder.

    Raises:
        OSError: There is none, or it cannot be read.
        ValueError: It is not the outcome of a run.
    """
    return outcome_from_dict(json.loads((directory / OUTCOME_FILE).read_text()))


def write_outcome(
    outcome: RunOutcome, directory: Path, *, reserve: bool = False, **beside: Any
) -> Path:
    """Writes the outcome as `run.json` into the run's folder and returns its path.

    The run's number in its output folder orders runs, as a clock may be wrong. Call this while
    holding the pipeline's lock.

    Args:
        outcome: What to write.
        directory: The run's folder.
        reserve: Whether to take the room of the next write, so that a disk may be full by then.
        **beside: JSON values to keep beside the outcome.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    path = directory / OUTCOME_FILE
    number = recorded_number(path) or 1 + max(
        map(recorded_number, directory.parent.glob(f"*/{OUTCOME_FILE}")), default=0
    )
    text = json.dumps({**outcome.as_dict(), **beside, NUMBER_KEY: number}, indent=2)
    partial = path.with_suffix(".partial")
    with partial.open("r+b" if partial.exists() else "wb") as file:
        file.write(text.encode())
        file.truncate()
    publish(partial, path)
    if reserve:
        partial.write_bytes(bytes(RESERVED_BYTES))
    return path


def recorded_number(path: Path) -> int:
    """Returns the number in a `run.json`; 0 if it has none or cannot be read."""
    try:
        return int(json.loads(path.read_text())[NUMBER_KEY])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _data_facts(values: Mapping[str, Any]) -> DataFacts:
    known = _known_fields(DataFacts, values)
    known["spans"] = [SpanFacts(**span) for span in known.get("spans", [])]
    if known.get("previous_span") is not None:
        known["previous_span"] = SpanFacts(**known["previous_span"])
    return DataFacts(**known)


def _known_fields(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(cls)}
    return {name: value for name, value in values.items() if name in names}
