import dataclasses
import os
import sys
from pathlib import Path

import pytest
from ml_metadata.proto.metadata_store_pb2 import Artifact

from pipeline.home import Home
from pipeline.run.lineage import open_store, output_artifacts, run_executions
from pipeline.run.outcome import RunOutcome
from pipeline.runners.local import RunRequest, run_pipelines

SHORT = (
    "trainer.batch_size=64",
    "trainer.epochs=12",
    "evaluator.lower_bounds.psnr_gain_db=-20",
)
"""Few gradient steps, and a bound that a denoiser meets after few."""


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    request: RunRequest
    outcome: RunOutcome

    @property
    def home(self) -> Path:
        return self.request.home

    def again(self, **changes: object) -> RunOutcome:
        request = dataclasses.replace(self.request, **changes)
        return run_pipelines(request, sys.stderr)[0]

    def artifact(self, stage: str, key: str) -> Artifact:
        store = open_store(Home(self.home), self.outcome.pipeline)
        return output_artifacts(store, run_executions(store, self.outcome.run_id), stage)[key]


@pytest.fixture(scope="session", params=["basic", "denoise", "anomaly"])
def finished(
    request: pytest.FixtureRequest, small_sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> FinishedRun:
    """One short run of each pipeline; tests that use it do not change what it pushed."""
    home = tmp_path_factory.mktemp(request.param)
    os.environ["AEPIPE_OFFLINE"] = "1"
    asked = RunRequest(
        names=(request.param,), home=home, data_dir=small_sample, settings=SHORT_OF[request.param]
    )
    return FinishedRun(asked, run_pipelines(asked, sys.stderr)[0])


SHORT_OF = {
    "basic": SHORT[:2],
    "denoise": SHORT,
    "anomaly": SHORT[:2],
}
