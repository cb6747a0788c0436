"""Which version scores: what a server would serve, unless another is named."""

from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.scoring.conftest import Predicted
from tests.pipeline.scoring.tiny_served import (
    TinyDetector,
    as_lines,
    label_versions,
    make_signals,
    push,
    write_csv,
)

CHOICES = {
    "newest": ({}, [], 10),
    "pinned": ({"pinned": 9}, [], 9),
    "withheld": ({"withheld": [10]}, [], 9),
    "all_withheld": ({"withheld": [10, 9, 2]}, [], 10),
    "pinned_but_gone": ({"pinned": 5}, [], 10),
    "named": ({"pinned": 9}, ["--model-version", "2"], 2),
    "label": ({"labels": {"stable": 2}}, ["--model-version", "stable"], 2),
}


@pytest.fixture(scope="module")
def three_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("serving")
    for version in (2, 9, 10):
        push(TinyDetector(), models, "mine", version)
    (models / "mine" / ".pushing-11").mkdir()
    return models


@pytest.mark.parametrize(("content", "options", "version"), CHOICES.values(), ids=CHOICES)
def test_the_version_that_a_server_would_serve(
    tmp_path: Path,
    three_versions: Path,
    predicted: Predicted,
    content: dict[str, Any],
    options: list[str],
    version: int,
) -> None:
    label_versions(three_versions, "mine", **content)
    file = write_csv(tmp_path / "ecg.csv", as_lines(make_signals(3)))
    found = predicted("mine", file, *options, models_dir=three_versions)
    assert found["version"] == version
