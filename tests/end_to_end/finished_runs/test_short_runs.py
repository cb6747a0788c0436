"""One short run of each pipeline, and what a second one does."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Aepipe, run_command
from tests.end_to_end.conftest import SHORT_OF, FinishedRun
from tests.end_to_end.metadata import STAGES, executed, pushed_versions

MODELS = {
    "basic": "basic_autoencoder",
    "denoise": "denoising_autoencoder",
    "anomaly": "ecg_anomaly_detector",
}
METRICS = {
    "basic": {"val_loss"},
    "denoise": {"val_loss", "noisy_mse", "psnr_gain_db"},
    "anomaly": {
        "accuracy",
        "precision",
        "recall",
        "f1",
        "anomaly_recall",
        "roc_auc",
        "pr_auc",
        "val_loss",
    },
}


def test_a_run_pushes_a_model(finished: FinishedRun) -> None:
    run = finished.outcome
    assert run.status == "pushed", run.reasons
    assert run.blessed is True
    assert run.data is not None
    assert run.data.source == "given"
    assert len(run.data.sha256) == 64
    assert run.data.examples["train"] > run.data.examples["eval"] > 0
    assert set(run.metrics) == METRICS[run.pipeline]
    assert all(np.isfinite(value) for value in run.metrics.values())
    assert (run.threshold is not None) == (run.pipeline == "anomaly")
    assert set(STAGES) | {"total"} <= set(run.seconds)
    (version,) = pushed_versions(finished.home, MODELS[run.pipeline])
    pushed = finished.home / "serving" / MODELS[run.pipeline] / str(version)
    assert Path(str(run.pushed)) == pushed
    all_but_the_resolver = [stage for stage in STAGES if stage != "BaselineResolver"]
    assert executed(finished.home, run.as_dict()) == all_but_the_resolver


def test_an_unchanged_second_run_does_nothing(finished: FinishedRun) -> None:
    before = pushed_versions(finished.home, MODELS[finished.outcome.pipeline])
    again = finished.again()
    assert again.status == "unchanged"
    assert executed(finished.home, again.as_dict()) == []
    assert pushed_versions(finished.home, MODELS[again.pipeline]) == before
    assert again.metrics == finished.outcome.metrics
    assert again.pushed == finished.outcome.pushed


def test_a_run_on_the_terminal_and_then_one_that_misses_a_bound(
    aepipe: Aepipe, small_sample: Path, tmp_path: Path
) -> None:
    command = run_command("anomaly", tmp_path, small_sample, SHORT_OF["anomaly"])
    shown = aepipe(*command)
    assert shown.exit_code == 0, shown.err
    for stage in STAGES:
        assert sum(f"✓ {stage} " in line for line in shown.out.splitlines()) == 1
    for part in ("accuracy", "threshold", "blessed and pushed", "served model", "log"):
        assert part in shown.out
    assert shown.err == ""
    assert len(shown.out.splitlines()) < 40
    (log,) = tmp_path.glob("runs/*/log.txt")
    assert "Component ExampleGen is running" in log.read_text()
    served = pushed_versions(tmp_path, MODELS["anomaly"])
    assert len(served) == 1

    # No server is started for a model that is refused before.
    refused = aepipe(*command, "--json", "--set", "evaluator.lower_bounds.accuracy=0.9999")
    assert refused.exit_code == 3
    (run,) = refused.runs
    assert run["status"] == "not_blessed"
    assert run["blessed"] is False
    assert run["pushed"] is None
    (reason,) = run["reasons"]
    assert reason.startswith("accuracy 0.")
    assert "0.9999" in reason
    assert pushed_versions(tmp_path, MODELS["anomaly"]) == served
    assert executed(tmp_path, run) == ["ThresholdEvaluator", "InfraValidator", "VersionedPusher"]


@pytest.mark.slow
def test_a_worse_model_than_the_blessed_one_is_not_pushed(
    aepipe: Aepipe, small_sample: Path, tmp_path: Path
) -> None:
    # A server takes long to start, and this is not about it.
    loose = ("trainer.batch_size=16", "infra_validator.enabled=false")
    command = run_command("basic", tmp_path, small_sample, loose, "--json")
    assert aepipe(*command, "--set", "trainer.epochs=4").exit_code == 0
    barely = ("--set", "trainer.epochs=1", "--set", "trainer.learning_rate=0.00001")
    worse = aepipe(*command, *barely)
    assert worse.exit_code == 3
    (run,) = worse.runs
    (reason,) = run["reasons"]
    assert "val_loss" in reason
    assert len(pushed_versions(tmp_path, MODELS["basic"])) == 1
