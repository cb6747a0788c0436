"""Raw examples are read back by what they are, not by the number of their dimensions."""

import numpy as np
import pytest

from components.raw_examples import parse, raw_values
from tests.components.artifacts import example


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        ("signal", np.arange(12, dtype=np.float32).reshape(2, 6) / 8),
        ("signal", np.arange(24, dtype=np.float32).reshape(2, 4, 3) / 8),
        ("image", np.arange(24, dtype=np.uint8).reshape(2, 4, 3)),
    ],
    ids=["signals", "channels", "images"],
)
def test_values_and_labels_come_back(feature: str, values: np.ndarray) -> None:
    records = [example(of_one, label) for label, of_one in enumerate(values)]

    parsed = parse(records, feature, values.shape[1:])

    assert parsed.values.dtype.name == "float32"
    np.testing.assert_array_equal(parsed.values, values)
    np.testing.assert_array_equal(parsed.label, [0, 1])
    for record, of_one in zip(records, values, strict=True):
        np.testing.assert_array_equal(raw_values(record, feature), of_one.ravel())
