"""`aepipe data check`: what it finds in files, and that a run would say the same."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data.splits import example_id, is_eval
from pipeline_config import SignalData
from tests.conftest import Aepipe, Result

LIMITS = ("--set", "data.length=3")


def checked(aepipe: Aepipe, data: Path, *more: str, pipeline: str = "anomaly") -> Result:
    return aepipe("data", "check", pipeline, "--data-dir", data, *more)


def found(aepipe: Aepipe, data: Path, *more: str, pipeline: str = "anomaly") -> dict:
    return json.loads(checked(aepipe, data, "--json", *more, pipeline=pipeline).out)


def test_the_sample_is_accepted_and_described(aepipe, small_sample):
    result = checked(aepipe, small_sample)
    assert result.exit_code == 0, result.err
    assert "1,000 of 140 samples" in result.out
    assert result.out.splitlines()[-1] == "a run would accept this data"
    values = found(aepipe, small_sample)
    assert values["accepted"]
    assert values["findings"] == []
    of_rows = values["found"]
    assert of_rows["examples"] == sum(of_rows["classes"].values()) == 1000
    assert sum(of_rows["labels"].values()) == sum(of_rows["splits"].values()) == 1000
    assert of_rows["least"] < of_rows["greatest"]


def test_images_are_described(aepipe, small_sample):
    values = found(aepipe, small_sample, pipeline="basic")
    assert values["accepted"]
    assert values["found"]["splits"] == {"train": 600, "eval": 200}
    assert values["found"]["shape"] == [28, 28]
    assert set(values["found"]["classes"]) == set("0123456789")


def test_every_rejected_row_is_counted_and_the_first_are_shown(aepipe, tmp_path):
    (tmp_path / "a.csv").write_text("1,2,3,1\n4,x,6,0\n1,2,4,0\n1,2\n4,5,6,1\n,2,3,1\n7,,9,0\n")
    result = checked(aepipe, tmp_path, *LIMITS)
    assert result.exit_code == 2
    assert "3 rows, 4 rejected" in result.out
    for place in ("row 2, column 2: 'x' is not a number", "row 4: 2 values", "row 6, column 1"):
        assert place in result.out
    assert "row 7" not in result.out
    assert result.out.splitlines()[-1] == "a run would refuse this data (exit code 2)"


def test_all_that_is_wrong_is_found_at_once(aepipe, tmp_path):
    rows = ["name,s1,s2,s3,s4", "a,1,2,3,V", "b,2,x,4,V", *["c,3,4,9,N", "d,1,5,2,N"] * 8]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    values = found(aepipe, tmp_path)
    sentences = [finding["sentence"] for finding in values["findings"]]
    assert len(sentences) == len(set(sentences))
    assert values["settings"] == ["data.drop=0", "data.length=3", "data.normal=N"]
    assert any("row 3, column 3: 'x' is not a number" in sentence for sentence in sentences)
    assert any("rows are copies of others" in sentence for sentence in sentences)
    assert values["verdict"] == "a run would refuse this data (exit code 2)"


def test_what_a_run_accepts_may_still_be_odd(aepipe, tmp_path):
    rows = ["5,5,5,1", "1,2,3,0", "1,2,3,0", *(f"{n},{n + 2},0,{n % 2}" for n in range(20))]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    values = found(aepipe, tmp_path, *LIMITS)
    assert values["accepted"]
    sentences = " ".join(finding["sentence"] for finding in values["findings"])
    assert "1 of 23 rows hold the same number in all samples" in sentences
    assert "1 of 23 rows are copies of others" in sentences


def test_what_the_data_gate_would_refuse_is_foreseen(aepipe, tmp_path):
    rows = [",".join([f"{n + k}" for k in range(140)]) + f",{n % 2}" for n in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    result = checked(aepipe, tmp_path)
    assert result.exit_code == 2
    assert "values run from 0 to 198, but the schema allows -100 to 100" in result.out
    assert result.out.splitlines()[-1] == "a run would refuse this data (exit code 3)"


def test_a_split_without_a_class_is_foreseen(aepipe, tmp_path):
    rows = [f"{n},{n + 1},{n % 3},{int(n > 0)}" for n in range(30)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    values = found(aepipe, tmp_path, *LIMITS)
    assert not values["accepted"]
    sentences = [finding["sentence"] for finding in values["findings"] if finding["exit_code"] == 3]
    assert any("no abnormal (0) example among its" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ((), "no data given: name its folder with --data-dir or AEPIPE_DATA"),
        (("--data-dir", "nowhere", "--set", "data.lenght=3"), "did you mean data.length?"),
    ],
)
def test_what_cannot_be_checked_is_one_line(aepipe, monkeypatch, arguments, fault):
    monkeypatch.delenv("AEPIPE_DATA", raising=False)
    result = aepipe("data", "check", "anomaly", *arguments)
    assert result.exit_code == 2
    assert fault in result.err
    assert len(result.err.splitlines()) == 1


def test_a_folder_that_is_not_there_is_refused_as_by_a_run(aepipe, tmp_path):
    result = checked(aepipe, tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "no such folder" in result.out


def test_nothing_is_written_and_no_framework_is_imported(small_sample, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in small_sample.rglob("*")}
    script = (
        "import sys\n"
        "from pipeline.cli import main\n"
        "try:\n"
        f"    main(['data', 'check', 'anomaly', '--data-dir', {str(small_sample)!r}])\n"
        "except SystemExit as stopped:\n"
        "    assert stopped.code == 0\n"
        "print([name for name in ('tensorflow', 'tfx', 'apache_beam') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in small_sample.rglob("*")} == before


def test_rows_are_drawn_as_tfx_draws_them():
    from tfx.components.example_gen import base_example_gen_executor as tfx_executor
    from tfx.proto import example_gen_pb2

    from components.example_gen.component import _split_by_content
    from components.example_gen.signals import to_examples
    from data.formats.rows import Block, Rows

    values = np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)
    labels = np.arange(200) % 3 - 1
    block = Block("a.csv", Rows(np.arange(1, 201), values, labels))
    config: example_gen_pb2.SplitConfig = _split_by_content().split_config
    drawn = [
        bool(tfx_executor._PartitionFn(example, 2, [4, 5], config))
        for example in to_examples(block)
    ]
    ours = [
        is_eval(example_id(row.tobytes(), label))
        for row, label in zip(values, labels.tolist(), strict=True)
    ]
    assert ours == drawn
    assert 20 < sum(ours) < 60


def test_what_is_held_out_is_counted_as_the_run_splits_it(aepipe, tmp_path):
    from tests.components.example_gen.ingestion import execute, read_splits

    rng = np.random.default_rng(2)
    rows = [[*rng.normal(size=3), index % 2] for index in range(60)]
    folder = tmp_path / "data"
    folder.mkdir()
    for name, part in (("b.csv", rows[40:]), ("a.csv", rows[:40])):
        np.savetxt(folder / name, part, delimiter=",", fmt="%.6g")
    for split in ("hash", "tutorial"):
        data = SignalData(length=3, split=split, held_out=0.25)
        options = (*LIMITS, "--set", f"data.split={split}", "--set", "data.held_out=0.25")
        written = read_splits(execute(tmp_path / split, folder, data).uri)
        counts = found(aepipe, folder, *options)["found"]["splits"]
        assert counts == {name: len(examples) for name, examples in written.items()}
        assert list(counts) == ["train", "calibration", "eval"]
    assert "calibration" in checked(aepipe, folder, *options).out


def test_a_series_too_short_to_hold_any_of_it_out(aepipe, tmp_path):
    (tmp_path / "a.csv").write_text("flow\n" + "\n".join(map(str, range(60))))
    options = ("--set", "data.series=true", "--set", "data.label=none", "--set", "data.length=8")
    assert checked(aepipe, tmp_path, *options).exit_code == 0
    result = checked(aepipe, tmp_path, *options, "--set", "data.held_out=0.1")
    assert result.exit_code == 2
    assert "no window is left for calibration: the part of a file that data.held_out=0.1" in (
        result.out
    )


def test_rows_too_few_for_the_promised_false_alarm_rate_are_refused_before_the_training(
    aepipe, tmp_path
):
    rng = np.random.default_rng(3)
    rows = [[*rng.normal(size=3), index % 2] for index in range(80)]
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",", fmt="%.6g")

    result = checked(aepipe, tmp_path, *LIMITS, pipeline="detector")

    assert result.exit_code == 2
    assert result.out.splitlines()[-1] == "a run would refuse this data (exit code 3)"
    (finding,) = [line for line in result.out.splitlines() if "held-out normal examples" in line]
    assert "evaluator.false_alarm_rate=0.03 takes 33" in finding
    rate = re.search(r"--set (evaluator.false_alarm_rate=[0-9.]+)", finding)
    assert rate is not None
    mended = checked(aepipe, tmp_path, *LIMITS, "--set", rate[1], pipeline="detector")
    assert mended.exit_code == 0, mended.out
    assert "held-out" not in mended.out
