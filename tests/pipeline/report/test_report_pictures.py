"""Pictures of a run's real results."""

from pathlib import Path

import numpy as np
from matplotlib.image import imread

from pipeline.home import Home
from pipeline.report.pictures import write_pictures
from pipeline.run.lineage import open_store
from pipeline.run.outcome import RunOutcome
from pipeline_config import ANOMALY


def test_a_run_gives_a_picture_on_white(home: Home, pushed: RunOutcome, tmp_path: Path) -> None:
    store = open_store(home, "anomaly")
    (path,) = write_pictures(pushed, ANOMALY, store, tmp_path / "docs")
    assert path == tmp_path / "docs" / "anomaly-result.png"
    assert 10_000 < path.stat().st_size < 200_000
    pixels = imread(path)
    height, width, _ = pixels.shape
    assert 900 < width < 1600
    assert 300 < height < 900
    assert np.all(pixels[0, 0] == 1)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 50


def test_a_run_without_a_judged_model_gives_none(
    home: Home, data_refused: RunOutcome, tmp_path: Path
) -> None:
    store = open_store(home, "anomaly")
    assert write_pictures(data_refused, ANOMALY, store, tmp_path) == []
    assert list(tmp_path.iterdir()) == []
