"""`aepipe data schema`: from data to a schema that a run takes."""

import json
from pathlib import Path

import pytest

from tests.conftest import Aepipe

OWN = """
[heart]
base = "anomaly"
data.schema = "heart.pbtxt"
trainer.epochs = 2
infra_validator.enabled = false
data.length = 12
data.normal = ["0"]
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file with a pipeline whose schema is not there yet, and data in another unit."""
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    rows = [
        ",".join([*(f"{1000 + (row * column) % 97}" for column in range(12)), str(row % 3 == 0)])
        for row in range(300)
    ]
    text = "\n".join(rows).replace("True", "1").replace("False", "0")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text(text + "\n")
    return path


def test_a_schema_is_inferred_and_never_replaced_unasked(own: Path, aepipe: Aepipe) -> None:
    out = own.with_name("heart.pbtxt")
    command = ["data", "schema", "heart", "--config", own, "--data-dir", own.with_name("data")]
    result = aepipe(*command, "--out", out, "--json")
    assert result.exit_code == 0, result.err
    (written,) = json.loads(result.out)["schemas"]
    assert (written["examples"], written["least"], written["greatest"]) == (300, 1000.0, 1096.0)
    text = out.read_text()
    assert "min: 904" in text
    assert "Seen: '0' (200), '1' (100)." in text
    out.write_text("reviewed")
    again = aepipe(*command, "--out", out)
    assert again.exit_code == 2
    assert again.err.startswith(f"aepipe: --out {out}: is there already")
    assert "--force" in again.err
    assert out.read_text() == "reviewed"
    absent = aepipe(*command, "--out", out.parent / "absent" / "heart.pbtxt")
    assert "there is no folder" in absent.err
    own.with_name("data").joinpath("rows.csv").write_text("1,2,3\n4,5,6\n")
    wrong = aepipe(*command, "--out", out, "--force")
    assert wrong.exit_code == 2
    (line,) = wrong.err.splitlines()
    assert "rows.csv" in line
    assert out.read_text() == "reviewed"


def test_a_run_whose_schema_is_not_there_says_how_to_write_it(own: Path, aepipe: Aepipe) -> None:
    data, home = own.with_name("data"), own.with_name("home")
    result = aepipe("run", "heart", "--config", own, "--data-dir", data, "--home", home)
    assert result.exit_code == 2
    assert "there is no such file: write it with `aepipe data schema heart --data-dir" in result.err


@pytest.mark.slow
def test_a_run_is_judged_by_the_schema_of_its_file(own: Path, aepipe: Aepipe) -> None:
    data, out = own.with_name("data"), own.with_name("heart.pbtxt")
    given = ["--config", own, "--data-dir", data]
    assert aepipe("data", "schema", "heart", *given, "--out", out).exit_code == 0
    (accepted,) = aepipe("run", "heart", *given, "--home", own.with_name("home"), "--json").runs
    assert accepted["status"] in ("pushed", "not_blessed")
    out.write_text(out.read_text().replace("max: 1192", "max: 1001"))
    narrowed = aepipe("run", "heart", *given, "--home", own.with_name("home"), "--json")
    assert narrowed.exit_code == 3
    assert f"float_domain of feature 'signal' in {out}" in narrowed.runs[0]["reasons"][0]
