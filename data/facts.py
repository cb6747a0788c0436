"""Which data a run read, as its outcome records it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class SpanFacts:
    """One span that a run read.

    Attributes:
        number: TFX's span number; of a date, days since 1970-01-01.
        name: The number, or the date as `2024-05-31`.
        version: The version that was read; None if spans have none.
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
        sha256: Digest over names and contents of the files that the model is made of; empty if
            a run on Kubeflow Pipelines reports it, as the spans'.
        examples: Examples by split; empty if the run ended before they were counted.
        spans: The spans of these files, oldest first; empty if data does not come in spans.
        previous_span: The span that the newest one was compared with; None if there is none.
        labels: Examples of a detector by split and class, `normal`, `abnormal` and, if there are
            any, `unlabelled`; empty for another pipeline, or if the run ended before they were
            counted.
        drift: Distance of the newest span from `previous_span` by feature, 0 to 1.
        files: How many files `sha256` was made of; None if a run on Kubeflow Pipelines reports.
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
    labels: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
