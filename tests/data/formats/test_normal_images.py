"""Images of which some classes are normal: labels say so, and classes keep their names."""

from pathlib import Path

import numpy as np
import pytest

from data.formats.image_file import find_images_to_train
from data.formats.picture_file import class_labels
from pipeline_config import ImageData

PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
CLASSES = [9, 0, 9, 2]


def npz(folder: Path) -> list[str]:
    np.savez(folder / "a.npz", x=PIXELS, y=np.array(CLASSES))
    return [str(folder / "a.npz")]


def csv(folder: Path) -> list[str]:
    rows = [[label, *image.ravel()] for label, image in zip(CLASSES, PIXELS, strict=True)]
    header = ["label", *(f"pixel{place}" for place in range(6))]
    lines = [",".join(map(str, row)) for row in [header, *rows]]
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    return [str(folder / "a.csv")]


@pytest.mark.parametrize("write", [npz, csv])
def test_labels_say_which_are_normal(write: object, tmp_path: Path) -> None:
    paths = write(tmp_path)  # type: ignore[operator]
    for normal, labels in (((), CLASSES), (("9",), [1, 0, 1, 0]), (("2", "9.0"), [1, 0, 1, 1])):
        data = ImageData(height=3, width=2, normal=normal)
        (reader,) = find_images_to_train(paths, data, class_labels(paths))
        (block,) = reader()
        assert block.rows.labels.tolist() == labels
        assert (block.rows.values == PIXELS).all()
        if normal:
            assert block.rows.classes is not None
            assert block.rows.classes.tolist() == ["9", "0", "9", "2"]
