"""ARFF and .ts files are read as the libraries of these formats read them, and streamed."""

import io
from pathlib import Path

import numpy as np
import pytest
from scipy.io import arff

from pipeline_config import SignalData
from tests.data.formats.readings import SMALL, read, refusal

SAMPLES = np.random.default_rng(4).normal(size=(30, 5)).round(6)
CLASSES = np.array(["1", "2", "3"])[np.arange(30) % 3]
ROWS = [",".join(map(repr, row)) for row in SAMPLES.tolist()]
LABELLED = [f"{row},{name}" for row, name in zip(ROWS, CLASSES, strict=True)]
ATTRIBUTES = "".join(f"@ATTRIBUTE att{step} NUMERIC\n" for step in range(5))
ARFF = (
    "% The UCR archive\n%\n@RELATION ecg\n\n"
    + ATTRIBUTES
    + "@ATTRIBUTE target {1,2,3}\n\n@DATA\n"
    + "\n".join(LABELLED)
    + "\n"
)
TS = (
    "#A comment\n@problemName ecg\n@timeStamps false\n@missing false\n@univariate true\n"
    "@equalLength true\n@seriesLength 5\n@classLabel true 1 2 3\n@data\n"
    + "".join(f"{row}:{name}\n" for row, name in zip(ROWS, CLASSES, strict=True))
)
DATA = SignalData(length=5)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("block_bytes", [7, SMALL, 1 << 20])
def test_an_arff_file_is_what_scipy_makes_of_it(tmp_path: Path, block_bytes: int) -> None:
    expected, _ = arff.loadarff(io.StringIO(ARFF))
    found = read(write(tmp_path / "a.arff", ARFF), DATA, block_bytes)
    samples = np.array([[*row][:5] for row in expected.tolist()], np.float32)
    np.testing.assert_array_equal(found.rows.values, samples)
    assert found.rows.classes is not None
    assert found.rows.classes.tolist() == [name.decode() for name in expected["target"]]
    assert found.rows.labels.tolist() == [1, 0, 0] * 10
    assert found.rows.numbers.tolist() == list(range(13, 43))


def test_names_and_quotes_of_an_arff_file(tmp_path: Path) -> None:
    text = (
        "@relation 'a b'\n@attribute 'the class' {'normal beat', other}\n"
        '@attribute id string\n@attribute "t 0" real\n@attribute t1 real\n@attribute t2 REAL\n'
        "@data\n% rows\n'normal beat','p,1',1,2,3.5\n  % a comment\n"
        "other, p2, 4, 5, 6\n?,p3,7,8,9\n"
    )
    data = SignalData(length=3, label="the class", normal=("normal beat",), drop=("id",))
    found = read(write(tmp_path / "a.arff", text), data)
    np.testing.assert_array_equal(found.rows.values, [[1, 2, 3.5], [4, 5, 6], [7, 8, 9]])
    assert found.rows.classes is not None
    assert found.rows.classes.tolist() == ["normal beat", "other", ""]
    assert found.rows.labels.tolist() == [1, 0, -1]


@pytest.mark.parametrize("block_bytes", [7, SMALL])
def test_a_ts_file(tmp_path: Path, block_bytes: int) -> None:
    found = read(write(tmp_path / "a.ts", TS), DATA, block_bytes)
    np.testing.assert_array_equal(found.rows.values, SAMPLES.astype(np.float32))
    assert found.rows.classes is not None
    assert found.rows.classes.tolist() == CLASSES.tolist()
    assert found.rows.numbers.tolist() == list(range(10, 40))


def two_dimensions() -> tuple[str, np.ndarray]:
    second = SAMPLES + 1
    lines = [
        f"{','.join(map(repr, one))}:{','.join(map(repr, two))}:{name}\n"
        for one, two, name in zip(SAMPLES.tolist(), second.tolist(), CLASSES, strict=True)
    ]
    head = "@problemName ecg\n@univariate false\n@dimensions 2\n@classLabel true 1 2 3\n@data\n"
    return head + "".join(lines), np.stack([SAMPLES, second], axis=2).astype(np.float32)


def test_dimensions_of_a_ts_file_are_channels(tmp_path: Path) -> None:
    text, expected = two_dimensions()
    file = write(tmp_path / "a.ts", text)
    both = read(file, SignalData(length=5, channels=2))
    np.testing.assert_array_equal(both.rows.values, expected)
    one = read(file, SignalData(length=5, channel=("1",)))
    np.testing.assert_array_equal(one.rows.values, expected[:, :, 1])
    bare = read(file, SignalData(length=5, channels=2, label="none"))
    np.testing.assert_array_equal(bare.rows.values, expected)
    assert set(bare.rows.labels.tolist()) == {-1}


TWO = two_dimensions()[0]
NO_CLASSES = TS.replace("true 1 2 3", "false").replace(":1\n", "\n")
MISTAKES: dict[str, tuple[str, dict[str, object], str]] = {
    "length": (TS, {}, "a.ts: rows have 5 samples, but data.length=140: --set data.length=5"),
    "dimensions": (
        TWO,
        {"length": 5},
        "a.ts: the file has 2 dimensions, but data.channels=1, or one of them with "
        "--set data.channel=1: --set data.channels=2",
    ),
    "channel": (
        TWO,
        {"length": 5, "channel": ("2",)},
        "a.ts: data.channel=2: there is no such channel: there are 0, 1",
    ),
    "time_stamps": (TS.replace("@timeStamps false", "@timeStamps true"), {}, "is not read"),
    "label": (TS, {"label": "first"}, "the class is last in a .ts file: --set data.label=last"),
    "drop": (TS, {"drop": ("0",)}, "no other columns than samples and the class: --set data.drop="),
    "no_classes": (NO_CLASSES, {"length": 5}, "no classes: --set data.label=none"),
    "ragged": (
        TWO.replace(":", ",1.5:", 1),
        {"length": 5, "channels": 2},
        "a.ts, row 6: dimensions of 5 and of 6 values",
    ),
    "a_dimension_less": (
        TWO + "1,2,3,4,5:3\n",
        {"length": 5, "channels": 2},
        "row 36: 2 parts between colons, expected 2 dimensions and a class",
    ),
    "missing": (TS + "1,?,3,4,5:1\n", {"length": 5}, "row 40, column 2: '?' is a missing value"),
    "no_rows": (TS.partition("@data\n")[0] + "@data\n", {}, "has a header but no rows below it"),
    "torn_preamble": (TS[:60], {}, "there is no @data line: the file ends early"),
}


@pytest.mark.parametrize(("text", "settings", "fault"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_in_a_ts_file(
    tmp_path: Path, text: str, settings: dict[str, object], fault: str
) -> None:
    data = SignalData(**settings)  # type: ignore[arg-type]
    assert fault in refusal(write(tmp_path / "a.ts", text), data)


ARFF_MISTAKES: dict[str, tuple[str, str]] = {
    "length": (ARFF, "rows have 6 columns, the last one holds 1..3: --set data.length=5"),
    "sparse": (ARFF.partition("@DATA")[0] + "@DATA\n{0 1, 5 2}\n", "a.arff: rows are sparse"),
    "relational": (
        ARFF.replace("target {1,2,3}", "bag relational"),
        "the attribute 'bag' is relational, which is not read: take the .ts file",
    ),
    "no_attributes": ("@relation a\n@data\n1,2\n", "an ARFF file without @attribute"),
}


@pytest.mark.parametrize(("text", "fault"), ARFF_MISTAKES.values(), ids=ARFF_MISTAKES)
def test_mistakes_in_an_arff_file(tmp_path: Path, text: str, fault: str) -> None:
    assert fault in refusal(write(tmp_path / "a.arff", text), SignalData())
