"""What can be asked about a run afterwards: the list of runs, its lineage, its report."""

import html.parser
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Aepipe
from tests.end_to_end.conftest import FinishedRun


class Page(html.parser.HTMLParser):
    """Text and tags of a page; fails on what is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag not in ("script", "link", "iframe")
        for name, value in attrs:
            assert not (name == "src" and (value or "").startswith("http"))
            assert not (tag == "img" and name == "alt" and not value)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_run_has_a_report_of_one_file(finished: FinishedRun) -> None:
    outcome = finished.outcome
    assert outcome.report is not None, outcome.notices
    page = Page()
    page.feed(Path(outcome.report).read_text())
    text = " ".join(" ".join(page.text).split())
    assert outcome.run_id in text
    assert str(outcome.pushed) in text
    for metric in outcome.metrics:
        assert metric in text
    assert page.tags.count("svg") + page.tags.count("img") >= 3


def test_runs_lists_them_and_show_prints_their_lineage(
    finished: FinishedRun, aepipe: Aepipe
) -> None:
    outcome = finished.outcome
    listed = aepipe("runs", "--home", finished.home, "--json")
    assert listed.exit_code == 0
    assert outcome.run_id in [run["run_id"] for run in listed.runs]
    assert outcome.run_id in aepipe("runs", "--home", finished.home).out.replace("\n", "")

    shown = aepipe("show", outcome.run_id, "--home", finished.home)
    assert shown.exit_code == 0, shown.err
    lineage = json.loads(shown.out)
    assert outcome.data is not None
    assert lineage["data"]["sha256"] == outcome.data.sha256
    assert lineage["metrics"] == outcome.metrics
    assert lineage["blessed"] is True
    assert str(lineage["pushed_version"]) == Path(str(outcome.pushed)).name
    assert {stage["state"] for stage in lineage["stages"]} == {"COMPLETE"}
    assert set(lineage["code"]) >= {"ExampleGen", "Transform", "Trainer", "ThresholdEvaluator"}


@pytest.mark.parametrize("finished", ["anomaly"], indirect=True)
def test_report_writes_the_report_of_a_run_again(finished: FinishedRun) -> None:
    command = ["report", finished.outcome.run_id, "--home", str(finished.home)]
    # In a process of its own, where TensorFlow is imported for the first time.
    written = subprocess.run(
        [sys.executable, "-m", "pipeline", *command], capture_output=True, text=True
    )
    assert (written.returncode, written.stderr) == (0, "")
    assert Path(written.stdout.strip()).is_file()


@pytest.mark.parametrize("command", ["show", "report"])
def test_a_run_that_does_not_exist_is_one_line_with_the_nearest(
    command: str, finished: FinishedRun, aepipe: Aepipe
) -> None:
    result = aepipe(command, finished.outcome.run_id[:-1] + "!", "--home", finished.home)
    assert result.exit_code == 2
    assert f"did you mean {finished.outcome.run_id}?" in result.err
    assert len(result.err.splitlines()) == 1


def test_report_without_any_run_is_one_line(aepipe: Aepipe, tmp_path: Path) -> None:
    result = aepipe("report", "--home", tmp_path)
    assert result.exit_code == 2
    assert "run a pipeline first" in result.err


def test_report_of_a_run_that_ended_before_its_first_stage_is_one_line(
    aepipe: Aepipe, tmp_path: Path
) -> None:
    assert aepipe("run", "basic", "--home", tmp_path, "--data-dir", "nowhere").exit_code == 2
    result = aepipe("report", "--home", tmp_path)
    assert result.exit_code == 2
    assert "ended before its first stage" in result.err
    assert len(result.err.splitlines()) == 1
