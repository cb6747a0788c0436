"""Which spans a run reads, and when there is nothing to run; all without TFX."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.choice import RunData, choose_data
from data.sources import DataSource
from data.spans.digests import FileDigests
from pipeline.run.begin import inputs_sha256, previous_outcome
from pipeline.run.outcome import RunOutcome, Status, outcome_from_dict
from pipeline.settings import apply_settings
from pipeline_config import ANOMALY, UserInputError


@pytest.fixture
def source(tmp_path: Path) -> DataSource:
    """Spans 1 to 4, each a file that no other has."""
    for number in range(1, 5):
        folder = tmp_path / f"span-{number}"
        folder.mkdir()
        (folder / "ecg.csv").write_text(f"{number}\n")
    return DataSource(tmp_path, "given")


def choose(source: DataSource, *settings: str, past: list[RunOutcome] | None = None) -> RunData:
    return choose_data(apply_settings(ANOMALY, settings), source, past or [])


def read(data: RunData) -> list[int]:
    return [span.number for span in data.facts.spans]


def run_of(data: RunData, status: Status, run_id: str = "anomaly-1", **values: Any) -> RunOutcome:
    inputs = inputs_sha256(data)
    return RunOutcome("anomaly", run_id, status, data=data.facts, inputs_sha256=inputs, **values)


def without_span(source: DataSource, number: int) -> None:
    (source.directory / f"span-{number}" / "ecg.csv").unlink()


def test_the_newest_span_by_default(source: DataSource) -> None:
    data = choose(source)
    assert read(data) == [4]
    assert data.facts.previous_span is not None
    assert data.facts.previous_span.number == 3
    assert data.notices == ()


def test_the_checksum_covers_exactly_the_files_of_the_window(source: DataSource) -> None:
    data = choose(source, "data.window=2")
    assert read(data) == [3, 4]
    files = [source.directory / f"span-{number}" / "ecg.csv" for number in (3, 4)]
    assert data.facts.sha256 == FileDigests().of_files(files)
    (source.directory / "span-2" / "ecg.csv").write_text("other\n")
    assert choose(source, "data.window=2").facts == data.facts
    files[0].write_text("other\n")
    assert choose(source, "data.window=2").facts.sha256 != data.facts.sha256


def test_a_partial_window_says_so(source: DataSource) -> None:
    data = choose(source, "data.window=6")
    assert read(data) == [1, 2, 3, 4]
    assert data.notices == ("data.window=6, but only 4 to read: span 1, 2, 3, 4",)


def test_a_window_without_spans_says_so(tmp_path: Path) -> None:
    (tmp_path / "ecg.csv").write_text("1\n")
    data = choose(DataSource(tmp_path, "given"), "data.window=2")
    assert not data.files.has_spans
    assert data.facts.spans == []
    assert "no spans" in data.notices[0]


def test_names_without_a_number_are_reported(tmp_path: Path) -> None:
    (tmp_path / "span-new").mkdir()
    (tmp_path / "span-new" / "ecg.csv").write_text("1\n")
    with pytest.raises(UserInputError, match="name spans by digits"):
        choose(DataSource(tmp_path, "given"), "data.pattern=span-{SPAN}/*.csv")


def test_a_comparison_that_cannot_refuse_reads_no_other_span(source: DataSource) -> None:
    off = ("gate.drift_threshold=1", "gate.label_drift_threshold=1")
    assert choose(source, *off).facts.previous_span is None


def refused_span_3(source: DataSource, status: Status, reason: str) -> list[RunOutcome]:
    kept = (source.directory / "span-4" / "ecg.csv").read_text()
    without_span(source, 4)
    run = run_of(choose(source), status, reasons=[reason])
    (source.directory / "span-4" / "ecg.csv").write_text(kept)
    return [run]


def test_a_refused_span_is_neither_read_nor_compared_with(source: DataSource) -> None:
    past = refused_span_3(source, "data_refused", "it drifted")
    data = choose(source, "data.window=2", past=past)
    assert read(data) == [2, 4]
    assert data.facts.previous_span is not None
    assert data.facts.previous_span.number == 2
    (notice,) = data.notices
    assert notice.startswith("span 3 is left out: run anomaly-1 refused it")
    assert read(choose(source, "data.window=2", "data.skip_refused=false", past=past)) == [3, 4]


def test_a_refused_span_counts_again_when_it_is_delivered_anew(source: DataSource) -> None:
    past = refused_span_3(source, "data_refused", "it drifted")
    (source.directory / "span-3" / "ecg.csv").write_text("mended\n")
    assert read(choose(source, "data.window=2", past=past)) == [3, 4]


def test_a_refused_span_counts_again_when_a_later_run_took_it(source: DataSource) -> None:
    past = refused_span_3(source, "data_refused", "it drifted")
    taken = dataclasses.replace(past[0], status="pushed", run_id="anomaly-2")
    assert read(choose(source, "data.window=2", past=[taken, *past])) == [3, 4]


@pytest.mark.parametrize(("blames_the_file", "expected"), [(True, [2, 4]), (False, [3, 4])])
def test_a_broken_span_is_left_out_and_one_that_met_a_full_disk_is_not(
    source: DataSource, blames_the_file: bool, expected: list[int]
) -> None:
    file = source.directory / "span-3" / "ecg.csv"
    reason = f"{file}, row 3: not a number" if blames_the_file else "cannot write: no space left"
    past = refused_span_3(source, "failed", reason)
    assert read(choose(source, "data.window=2", past=past)) == expected


@pytest.mark.parametrize("status", ["pushed", "unchanged", "not_blessed", "data_refused"])
def test_a_verdict_on_the_same_inputs_stands(source: DataSource, status: Status) -> None:
    data = choose(source)
    run = run_of(data, status)
    assert previous_outcome(data, [run]) == run


def _is_new(source: DataSource, run: RunOutcome, *settings: str) -> bool:
    data = choose(source, *settings)
    return previous_outcome(data, [run]) is None


def test_whatever_changes_the_result_is_new(source: DataSource, tmp_path: Path) -> None:
    run = run_of(choose(source), "pushed")
    assert not _is_new(source, run)
    assert _is_new(source, run, "trainer.epochs=3")
    assert _is_new(source, run, "data.window=2")
    assert _is_new(source, run_of(choose(source), "failed", reasons=["no space left"]))
    assert _is_new(source, run_of(choose(source), "interrupted"))
    assert _is_new(source, run_of(choose(source), "pushed", pushed=str(tmp_path / "deleted")))
    assert _is_new(source, dataclasses.replace(run, inputs_sha256=None))
    (source.directory / "span-5").mkdir()
    (source.directory / "span-5" / "ecg.csv").write_text("4\n")
    assert _is_new(source, run), "the same rows as another span are a new span all the same"


def test_another_pipelines_run_says_nothing_of_this_one(source: DataSource) -> None:
    run = dataclasses.replace(run_of(choose(source), "pushed"), pipeline="basic")
    assert _is_new(source, run)


def test_spans_survive_json(source: DataSource) -> None:
    run = run_of(choose(source, "data.window=2"), "pushed")
    assert outcome_from_dict(json.loads(json.dumps(run.as_dict()))) == run


def test_looking_for_new_data_loads_neither_tensorflow_nor_tfx() -> None:
    probe = (
        "import sys; import pipeline.run; "
        "print([name for name in ('tensorflow', 'tfx', 'apache_beam') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr


COPIES = ["ecg (1).csv", "ecg copy.csv", "ecg.csv.csv", "sub-ecg.CSV"]


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_a_file_is_named(tmp_path: Path, name: str) -> None:
    for copy in ("ecg.csv", name):
        (tmp_path / copy).write_text("1\n")
    with pytest.raises(UserInputError) as raised:
        choose(DataSource(tmp_path, "given"))
    expected = f"{tmp_path / name} is a copy of {tmp_path}/ecg.csv: remove one of the two"
    assert str(raised.value) == expected


def test_a_span_with_a_file_of_another_span_is_reported(source: DataSource) -> None:
    (source.directory / "span-4" / "ecg.csv").write_text("3\n")
    (notice,) = choose(source, "data.window=2").notices
    assert notice.endswith("span-3/ecg.csv: its rows count twice")
    assert choose(source).notices == ()


@pytest.mark.parametrize("settings", [(), ("data.window=3",)])
def test_each_file_is_read_once(source: DataSource, settings: tuple[str, ...]) -> None:
    past = refused_span_3(source, "data_refused", "it drifted")
    opened = opened_below(source.directory)
    choose(source, *settings, past=past)
    assert len(opened) == len(set(opened)) > 1


def opened_below(directory: Path) -> list[str]:
    """Files below a folder that are opened from now on; a hook cannot be taken off again."""
    opened: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).startswith(f"{directory}/"):
            opened.append(str(arguments[0]))

    sys.addaudithook(hook)
    return opened


def test_how_many_files_and_bytes_are_reported(source: DataSource) -> None:
    facts = choose(source, "data.window=3").facts
    assert (facts.files, facts.bytes) == (3, 6)


def test_a_hidden_file_is_neither_digested_nor_read(source: DataSource) -> None:
    before = choose(source)
    for name in (".new.csv", "._ecg.csv", "ecg.csv.bak", "ecg.csv~"):
        (source.directory / "span-4" / name).write_text("new\n")
    (source.directory / "span-4" / "old.csv").mkdir()
    assert choose(source) == before
    assert before.files.newest.names == ["span-4/ecg.csv"]
