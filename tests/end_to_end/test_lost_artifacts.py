"""A stage whose stored files are gone runs again, whatever was lost and however."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Aepipe, run_command
from tests.end_to_end.metadata import executed, pushed_versions

MODEL = "ecg_anomaly_detector"
SETTINGS = (
    "trainer.batch_size=64",
    "trainer.epochs=12",
    "evaluator.baseline_tolerance=1",
    # A server takes long to start, and nothing here is about it.
    "infra_validator.enabled=false",
)

LOST = [
    ("VersionedPusher/pushed_model", "VersionedPusher"),
    ("Trainer/model/*/Format-Serving/variables", "Trainer"),
    ("DataGate/verdict", "DataGate"),
    ("ExampleGen/examples/*/Split-eval", "ExampleGen"),
]
"""What is lost of the newest artifacts, and the first stage that then runs again.

`tests/pipeline/test_cached_outputs.py` has every kind of artifact.
"""


@pytest.mark.slow
def test_every_artifact_that_is_lost_is_made_again(
    aepipe: Aepipe, small_sample: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    command = run_command("anomaly", home, small_sample, SETTINGS, "--json")

    def run() -> tuple[str, list[str]]:
        result = aepipe(*command)
        assert result.exit_code == 0, result.err + result.out
        (outcome,) = result.runs
        assert outcome["blessed"]
        assert Path(outcome["pushed"]).is_dir()
        return outcome["status"], executed(home, outcome)

    assert run()[0] == "pushed"
    for place, stage in LOST:
        folders = list((home / "artifacts" / "anomaly").glob(place))
        assert folders
        for folder in folders:
            for part in folder.rglob("*"):
                if part.is_file():
                    part.unlink()
        status, stages = run()
        assert stages[0] == stage
        # What follows the data gate waits for its verdict, which is no input of it.
        assert status == ("unchanged" if stages[-1] == "DataGate" else "pushed")
    assert run() == ("unchanged", [])

    shutil.rmtree(home / "serving")
    assert run() == ("pushed", ["VersionedPusher"])
    (version,) = pushed_versions(home, MODEL)
    (home / "serving" / MODEL / str(version) / "saved_model.pb").unlink()
    assert run() == ("pushed", ["VersionedPusher"])
    newest = pushed_versions(home, MODEL)[-1]
    manifest = json.loads((home / "serving" / MODEL / str(newest) / "aepipe.json").read_text())
    assert manifest["version"] == newest > version
