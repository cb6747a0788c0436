"""A detector that sees no anomaly is not pushed, and labels the wrong way round are reported."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.home import Home
from tests.pipeline.conftest import LENGTH, run_once

QUICK = (f"data.length={LENGTH}", "trainer.batch_size=16", "infra_validator.enabled=false")


def write_sines(directory: Path, normal: int, abnormal: int) -> Path:
    """Both classes are the same waves, apart from the noise."""
    rng = np.random.default_rng(0)
    label = np.r_[np.ones(normal), np.zeros(abnormal)]
    signal = np.sin(np.linspace(0, 2 * np.pi, LENGTH)) + rng.normal(
        scale=0.1, size=(len(label), 16)
    )
    directory.mkdir(parents=True)
    np.savetxt(directory / "ecg.csv", np.column_stack([signal, label]), delimiter=",", fmt="%.6g")
    return directory


@pytest.mark.slow
def test_a_model_that_finds_none_of_a_few_anomalies_is_not_pushed(tmp_path: Path) -> None:
    data = write_sines(tmp_path / "ecg", normal=336, abnormal=14)
    outcome = run_once("anomaly", Home(tmp_path / "home"), data, *QUICK, "evaluator.threshold_k=3")

    assert (outcome.status, outcome.exit_code) == ("not_blessed", 3)
    assert outcome.metrics["accuracy"] > 0.85
    assert outcome.metrics["precision"] > 0.85
    assert outcome.metrics["recall"] > 0.75
    # These are not the tutorial's data, so the bounds of its recall do not count.
    (reason,) = outcome.reasons
    assert reason.startswith("roc_auc ")
    assert "the default for data other than the tutorial's" in reason
    assert outcome.data is not None
    counts = outcome.data.labels.values()
    assert [sum(of[name] for of in counts) for name in ("normal", "abnormal")] == [336, 14]
    (notice,) = outcome.notices
    assert notice.startswith(f"only {outcome.data.labels['eval']['abnormal']} abnormal example")
    assert notice.endswith("(95% confidence)")
    assert outcome.report is not None
    assert "abnormal example" in Path(outcome.report).read_text()


@pytest.mark.slow
def test_a_minority_of_normal_rows_is_reported_before_training(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write_sines(tmp_path / "ecg", normal=120, abnormal=230)
    outcome = run_once("anomaly", Home(tmp_path / "home"), data, *QUICK)

    before_training = capfd.readouterr().err.partition("Trainer")[0]
    assert "120 normal, 230 abnormal" in before_training
    for reported in (
        before_training,
        "\n".join(outcome.notices),
        Path(str(outcome.report)).read_text(),
    ):
        assert "only 120 of 350 labelled rows are normal (class 1)" in reported
        assert "if class 0 is the normal one: --set data.normal=0" in reported
