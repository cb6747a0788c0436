"""Runs the executor on real artifacts, with a real server's process."""

import dataclasses
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing
from tfx.utils import path_utils

from components.infra_validator.component import InfraValidator
from pipeline_config import InfraValidatorConfig
from tests.components.artifacts import ArtifactFolder
from tests.components.infra_validator.tiny_candidates import SIGNAL, TinyCandidate, write

PATIENT = 300.0
"""Seconds that are enough on any machine."""


class Bench(ArtifactFolder):
    """Artifacts below one folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.model = self.artifact(Model)
        self.model_blessing = self.artifact(ModelBlessing)
        self.model_blessing.set_int_custom_property("blessed", 1)
        self.data = self.examples(eval=[[SIGNAL] * 3])

    def validate(self, candidate: TinyCandidate, **config: Any) -> Any:
        write(candidate, Path(path_utils.serving_model_dir(self.model.uri)))
        blessing = self.artifact(InfraBlessing)
        settings = InfraValidatorConfig(**{"timeout_seconds": PATIENT, **config})
        InfraValidator.test_call(
            model=self.model,
            model_blessing=self.model_blessing,
            examples=self.data,
            blessing=blessing,
            config=json.dumps(dataclasses.asdict(settings)),
            fingerprint="",
        )
        return blessing


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def children() -> set[str]:
    """Processes that this one has started and that still are there."""
    tasks = Path("/proc", str(os.getpid()), "task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}
