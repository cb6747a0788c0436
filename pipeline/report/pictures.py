"""A run's real results as pictures for a document."""

from pathlib import Path

from ml_metadata import MetadataStore

from pipeline.report.findings import read_findings
from pipeline.report.page import IMAGES, SIGNALS
from pipeline.report.samples import read_samples
from pipeline.report.theme import LIGHT, themed
from pipeline.run.outcome import RunOutcome
from pipeline_config import PipelineConfig

_DOTS_PER_INCH = 90


def write_pictures(
    outcome: RunOutcome, config: PipelineConfig, store: MetadataStore, directory: Path
) -> list[Path]:
    """Writes `PIPELINE-result.png`: eval examples beside what the judged model makes of them.

    Returns:
        The pictures; none for a run that ended before a model was judged.
    """
    from pipeline.report import figures

    findings = read_findings(store, outcome.run_id, config)
    samples = read_samples(findings, SIGNALS if findings.judged.is_detector else IMAGES)
    if samples is None:
        return []
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{config.name}-result.png"
    with themed(LIGHT):
        is_signal = len(findings.judged.shape) == 1
        figure = figures.signal_grid(samples) if is_signal else figures.image_rows(samples)
        figure.savefig(path, dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return [path]
