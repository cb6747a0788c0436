"""What `aepipe data check` prints: a line a subject, then what is odd, then the verdict."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from data.survey import FileSurvey, Survey
from pipeline.check import DataCheck, Finding
from pipeline.terminal import print_data, print_fields, print_header
from pipeline_config import SignalData

_MOST_FILES = 10
_MOST_CLASSES = 20


def print_check(console: Console, check: DataCheck) -> None:
    """Prints what a run would read, what is odd about it, and whether a run would accept it."""
    print_header(console, check.config)
    if check.read is not None:
        print_data(console, check.read.facts)
    if check.survey is not None:
        print_fields(console, list(_rows(check.survey)))
    print_fields(console, [_finding(finding) for finding in check.findings])
    style = "bold green" if check.is_accepted else "bold red"
    console.print(Text(check.verdict, style), soft_wrap=True)


def _finding(finding: Finding) -> tuple[str, str | Text]:
    return ("refused" if finding.exit_code else "odd", finding.sentence)


def _rows(survey: Survey) -> Iterator[tuple[str, str | Text]]:
    yield from _files(survey)
    if not survey.rows:
        return
    if series := survey.as_dict()["series"]:
        yield "series", _series(series)
    shape = " x ".join(map(str, survey.data.shape))
    unit = "pixels" if len(survey.data.shape) == 2 and not _is_signal(survey) else "samples"
    yield "examples", f"{survey.rows:,} of {shape} {unit}"
    yield "classes", _classes(survey)
    if survey.data.marks_normal:
        counts = survey.label_counts.items()
        yield "labels", ", ".join(f"{rows:,} {name}" for name, rows in counts)
    yield "values", _values(survey)
    if splits := survey.splits:
        yield "splits", ", ".join(f"{name} {splits.get(name, 0):,}" for name in survey.data.splits)


def _files(survey: Survey) -> Iterator[tuple[str, str]]:
    for path, file in list(survey.files.items())[:_MOST_FILES]:
        yield "file", f"{Path(path).name}: {_file(file)}"
        for sentence in file.sentences:
            yield "", sentence
    if len(survey.files) > _MOST_FILES:
        yield "", f"and {len(survey.files) - _MOST_FILES} more"


def _file(file: FileSurvey) -> str:
    return f"{file.facts}, {file.rows:,} rows" + (
        f", {file.rejected:,} rejected" if file.rejected else ""
    )


def _series(series: Mapping[str, Any]) -> str:
    parts = [f"{series['samples']:,} samples"]
    if series["step"]:
        parts.append(f"a step of {series['step']}")
    parts.append(f"channels {', '.join(series['channels'])}")
    for name in ("gaps", "interpolated", "left_out"):
        if series[name]:
            parts.append(f"{series[name]:,} {name.replace('_', ' ')}")
    return ", ".join(parts)


def _classes(survey: Survey) -> str:
    rows = survey.rows
    named = [
        f"{name or 'without label'} {count:,} ({count / rows:.1%})"
        for name, count in survey.classes.most_common(_MOST_CLASSES)
    ]
    more = len(survey.classes) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _values(survey: Survey) -> str:
    assert survey.least is not None, "there are rows"
    assert survey.greatest is not None, "there are rows"
    ends = list(zip(survey.least.tolist(), survey.greatest.tolist(), strict=True))
    if len(ends) == 1:
        ((least, greatest),) = ends
        return f"{least:g} to {greatest:g}"
    return ", ".join(
        f"channel {place} {least:g} to {greatest:g}" for place, (least, greatest) in enumerate(ends)
    )


def _is_signal(survey: Survey) -> bool:
    return isinstance(survey.data, SignalData)
