"""The report of a run, as a reader's browser gets it."""

import dataclasses
import re
import time
from pathlib import Path
from urllib.parse import unquote

import lxml.html
import pytest
from lxml.html import HtmlElement

from data.facts import DataFacts
from pipeline.home import Home
from pipeline.report.page import write_report
from pipeline.run.lineage import open_store
from pipeline.run.outcome import RunOutcome
from pipeline_config import PIPELINES
from tests.pipeline.conftest import SQUARES, run_once


def report(outcome: RunOutcome, home: Home, directory: Path | None = None) -> HtmlElement:
    directory = directory or home.runs / outcome.run_id
    directory.mkdir(parents=True, exist_ok=True)
    store = open_store(home, outcome.pipeline)
    path = write_report(outcome, PIPELINES[outcome.pipeline], store, directory)
    assert path == directory / "report.html"
    return lxml.html.fromstring(path.read_bytes())


@pytest.fixture(scope="module")
def page(home: Home, pushed: RunOutcome) -> HtmlElement:
    """The report of the pushed run."""
    return report(pushed, home)


def text(element: HtmlElement) -> str:
    return " ".join(element.text_content().split())


def headings(page: HtmlElement) -> list[str]:
    return [text(heading) for heading in page.iter("h2")]


def metric_values(page: HtmlElement) -> dict[str, str]:
    return {
        text(row.find(".//code")): text(row.findall("td")[0])
        for row in page.get_element_by_id("metrics").find("tbody")
    }


def labels(page: HtmlElement) -> list[str]:
    return [figure.get("aria-label") for figure in page.iter("svg")]


def test_a_pushed_run_shows_its_verdict_metrics_and_data(
    page: HtmlElement, pushed: RunOutcome
) -> None:
    assert text(page.find(".//h1")) == "anomaly"
    assert "Blessed and pushed" in text(page.find_class("verdict")[0])
    values = metric_values(page)
    assert set(values) == {*pushed.metrics, "threshold"}
    for name, value in pushed.metrics.items():
        assert float(values[name]) == pytest.approx(value, rel=1e-3)
    assert pushed.threshold is not None
    assert float(values["threshold"]) == pytest.approx(pushed.threshold, rel=1e-3)
    assert pushed.data is not None
    facts = text(page.find(".//dl"))
    for fact in (pushed.run_id, pushed.data.directory, pushed.data.sha256):
        assert fact in facts
    assert f"{pushed.data.examples['eval']} eval" in facts


def test_the_confusion_matrix_counts_the_eval_split(page: HtmlElement, pushed: RunOutcome) -> None:
    cells = page.get_element_by_id("confusion").findall(".//tbody/tr/td")
    counts = [int((cell.text or "").replace(",", "")) for cell in cells]
    assert len(counts) == 4
    assert pushed.data is not None
    assert sum(counts) == pushed.data.examples["eval"]
    assert (counts[0] + counts[3]) / sum(counts) == pytest.approx(pushed.metrics["accuracy"])


def test_a_detector_shows_normal_and_abnormal_signals_with_their_errors(
    page: HtmlElement, pushed: RunOutcome
) -> None:
    signals = [label for label in labels(page) if "signal and its reconstruction" in label]
    assert [label.count("; normal, error 0.") for label in signals] == [1, 1, 1, 0, 0, 0]
    assert [label.count("; abnormal, error 0.") for label in signals] == [0, 0, 0, 1, 1, 1]
    assert pushed.threshold is not None
    for label in signals:
        error = float(re.search(r"error (\d\.\d+)", label)[1])  # type: ignore[index]
        judged = "abnormal" if error > pushed.threshold else "normal"
        rest = r", p \d[\d.e-]*\. Sample \d+ contributes most to the error\."
        assert re.search(f": judged {judged}{rest}$", label), label


def test_figures_name_their_axes_series_and_threshold(page: HtmlElement) -> None:
    figures = {figure.get("aria-label"): text(figure) for figure in page.iter("svg")}
    (curve,) = (content for label, content in figures.items() if "loss over 8 epochs" in label)
    for shown in ("epoch", "loss (mean absolute error)", "training", "validation"):
        assert shown in curve
    (histogram,) = (content for label, content in figures.items() if "Histogram" in label)
    for shown in (
        "reconstruction error",
        "eval examples",
        "normal (",
        "abnormal (",
        "threshold 0.",
    ):
        assert shown in histogram
    (signal, *_) = (content for label, content in figures.items() if "its reconstruction" in label)
    for shown in ("original", "reconstruction", "error", "sample", "units"):
        assert shown in signal


def test_the_page_needs_nothing_beside_itself(page: HtmlElement) -> None:
    assert not list(page.iter("script", "link", "iframe", "object"))
    for element in page.iter():
        for name, value in element.attrib.items():
            if name in ("src", "href", "xlink:href"):
                assert value.startswith(("#", "data:", "../", "log.txt")), value
            assert not name.startswith("on")
    style = text(page.find(".//style"))
    assert "url(" not in style
    assert "@import" not in style


def test_links_lead_to_the_served_model_and_the_log(
    page: HtmlElement, home: Home, pushed: RunOutcome
) -> None:
    folder = home.runs / pushed.run_id
    targets = [(folder / unquote(link.get("href"))).resolve() for link in page.iter("a")]
    assert targets == [Path(str(pushed.pushed)), Path(str(pushed.log))]
    assert all(target.exists() for target in targets)


def test_the_page_can_be_read_without_seeing_it_and_in_the_dark(page: HtmlElement) -> None:
    assert page.get("lang") == "en"
    assert all(figure.get("role") == "img" for figure in page.iter("svg"))
    assert all(len(label) > 20 for label in labels(page))
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    style = text(page.find(".//style"))
    assert "prefers-color-scheme: dark" in style
    # Colours of the figures are the page's own, so that they follow it into the dark.
    drawn = "".join(
        element.get("style") or "" for svg in page.iter("svg") for element in svg.iter()
    )
    assert "var(--first)" in drawn
    assert "var(--second)" in drawn
    assert re.findall(r"#[0-9a-f]{6}", drawn) == []


def test_stages_show_their_time_and_whether_they_were_cached_and_results_are_found_again(
    page: HtmlElement, home: Home, pushed: RunOutcome, unchanged: RunOutcome
) -> None:
    def results(page: HtmlElement, outcome: RunOutcome) -> dict[str, str]:
        rows = page.get_element_by_id("stages").findall(".//tbody/tr")
        for row in rows:
            seconds = outcome.seconds[text(row.find("th"))]
            assert text(row.findall("td")[1]) == f"{seconds:.1f} s"
        return {text(row.find("th")): text(row.findall("td")[2]) for row in rows}

    first = results(page, pushed)
    assert set(first) == set(pushed.seconds) - {"total"}
    assert set(first.values()) == {"run"}
    unchanged_page = report(unchanged, home)
    again = results(unchanged_page, unchanged)
    assert {stage for stage, result in again.items() if result == "cached"} == set(unchanged.cached)
    assert len(unchanged.cached) >= 9
    assert "Nothing changed" in text(unchanged_page.find_class("verdict")[0])
    assert headings(unchanged_page)[0] == "Real results"


def test_a_refused_model_shows_why_and_what_it_was_compared_with(
    home: Home, not_blessed: RunOutcome
) -> None:
    assert not_blessed.status == "not_blessed"
    page = report(not_blessed, home)
    verdict = text(page.find_class("verdict")[0])
    assert "Not blessed" in verdict
    for reason in not_blessed.reasons:
        assert reason in verdict
    rows = {
        text(row.find(".//code")): row for row in page.get_element_by_id("metrics").find("tbody")
    }
    cells = [text(cell) for cell in rows["recall"].findall("td")]
    assert cells[0].startswith("✗ ")
    assert cells[1] == "≥ 1 your setting"
    assert 0 < float(cells[2]) <= 1
    assert not text(rows["f1"].findall("td")[0]).startswith("✗ ")
    assert [text(link) for link in page.iter("a")] == [not_blessed.log]


def test_refused_data_shows_why_and_no_metrics(home: Home, data_refused: RunOutcome) -> None:
    assert data_refused.status == "data_refused"
    page = report(data_refused, home)
    verdict = text(page.find_class("verdict")[0])
    assert "Refused by the data gate" in verdict
    assert data_refused.reasons[0] in verdict
    assert headings(page) == ["Stages"]
    assert labels(page) == []


def test_a_run_that_mlmd_does_not_know_has_a_report(
    home: Home, pushed: RunOutcome, tmp_path: Path
) -> None:
    del pushed  # It made the metadata store.
    outcome = RunOutcome(
        "anomaly", "anomaly-20260101T000000-ab12", "failed", reasons=["no <such> folder & file"]
    )
    page = report(outcome, home, tmp_path)
    verdict = text(page.find_class("verdict")[0])
    assert "Failed" in verdict
    assert "no <such> folder & file" in verdict
    assert headings(page) == []


def test_a_model_that_was_removed_leaves_the_rest_of_the_report(
    home: Home, pushed: RunOutcome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    artifacts = home.artifacts("anomaly") / "ThresholdEvaluator" / "judged_model"
    hidden = artifacts.with_name("away")
    artifacts.rename(hidden)
    try:
        page = report(pushed, home, tmp_path)
    finally:
        hidden.rename(artifacts)
    assert "Real results" not in headings(page)
    assert "Metrics" in headings(page)


@pytest.mark.parametrize("notices", [[], ["NOT REAL DATA: the built-in <sample>"]])
def test_the_built_in_sample_is_reported_loudly(
    notices: list[str], page: HtmlElement, home: Home, pushed: RunOutcome, tmp_path: Path
) -> None:
    assert pushed.data is not None
    sample = DataFacts("sample", pushed.data.directory, pushed.data.sha256, pushed.data.examples)
    loud = report(dataclasses.replace(pushed, data=sample, notices=notices), home, tmp_path)
    (alert,) = loud.find_class("notice")
    assert alert.get("role") == "alert"
    assert "built-in" in text(alert)
    assert all(notice in text(alert) for notice in notices)
    assert page.find_class("notice") == []


def test_the_same_run_gives_the_same_page_quickly(
    home: Home, pushed: RunOutcome, tmp_path: Path
) -> None:
    report(pushed, home, tmp_path)
    first = (tmp_path / "report.html").read_bytes()
    start = time.monotonic()
    report(pushed, home, tmp_path)
    assert time.monotonic() - start < 4
    assert (tmp_path / "report.html").read_bytes() == first
    assert len(first) < 1_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pipeline", "rows"),
    [
        ("basic", ["original", "reconstruction"]),
        ("denoise", ["original", "noisy input", "reconstruction"]),
    ],
)
def test_an_image_pipeline_shows_rows_of_images(
    pipeline: str, rows: list[str], home: Home, squares: Path
) -> None:
    settings = [*SQUARES, "evaluator.lower_bounds.psnr_gain_db=-50"][: 5 if rows[2:] else 4]
    outcome = run_once(pipeline, home, squares, *settings)
    page = report(outcome, home)
    (grid,) = page.find_class("images")[0].iter("svg")
    shown = text(grid)
    # Two of each of the four classes: ten are shared out evenly.
    assert len(list(grid.iter("image"))) == 8 * len(rows)
    assert all(image.get("xlink:href").startswith("data:image/png") for image in grid.iter("image"))
    for name in rows:
        assert name in shown
    assert [shown.count(f"class {label}") for label in range(4)] == [2, 2, 2, 2]
    assert {*metric_values(page)} == {*outcome.metrics}
    assert "Confusion matrix" not in headings(page)
    (histogram,) = (svg for svg in page.iter("svg") if "Histogram" in svg.get("aria-label"))
    assert ("noisy input" in text(histogram)) == ("noisy input" in rows)
