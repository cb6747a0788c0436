"""Changes of what is served while a server reads, a pipeline pushes and MLMD is in use."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.commands.push_directory import report_wait
from pipeline.home import Home
from pipeline.run.lineage import open_store
from serving.push_directory.model_versions import served_version
from serving.push_directory.rollback import label, rollback
from serving.push_directory.versions_json import read_version_file
from tests.conftest import Aepipe
from tests.pipeline.models.conftest import MODEL

PUSH_AND_WAIT = """
import sys
from pathlib import Path
from serving.push_directory.publish import publish, pushing
def fill(folder):
    (folder / "variables").mkdir()
    for name in ("saved_model.pb", "variables/variables.index"):
        (folder / name).write_text("")
    (folder / "variables" / "variables.data-00000-of-00001").write_text("")
with pushing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
    publish(Path(sys.argv[1]), fill, 14)
"""

HOLD_DATABASE = """
import select, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
select.select([sys.stdin], [], [], float(sys.argv[2]))
connection.rollback()
"""


def holding(script: str, path: Path, seconds: float = 600) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def release(process: "subprocess.Popen[str]") -> None:
    process.communicate("\n")
    assert process.returncode == 0


def test_a_reader_never_sees_a_part_of_a_change(folder: Path) -> None:
    seen = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add((served_version(folder), tuple(read_version_file(folder).labels.items())))

    with_labels = (("canary", 13), ("stable", 11))
    for name, version in with_labels:
        label(folder, name, version)
    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        rollback(folder, 12)
        rollback(folder, 13)
    done.set()
    reader.join()

    assert seen == {(12, with_labels), (13, with_labels)}


def test_a_rollback_waits_for_the_push_that_is_under_way_and_says_so(
    home: Home, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    push = holding(PUSH_AND_WAIT, folder)
    changes = []
    said = ""
    roller = threading.Thread(target=lambda: changes.append(rollback(folder, None, report_wait)))
    roller.start()
    while not said:
        assert roller.is_alive()
        said = capfd.readouterr().err
    assert said == f"aepipe: {folder} is held by a push or another change: waiting for its end\n"
    assert not (folder / "versions.json").exists()

    release(push)
    roller.join()

    (change,) = changes
    assert (change.from_version, change.to_version, change.withheld) == (14, 13, [14])
    assert served_version(folder) == 13


@pytest.mark.slow
def test_a_busy_database_delays_the_record_only(aepipe: Aepipe, home: Home, folder: Path) -> None:
    # It lets go by itself: while MLMD waits, no thread of this process runs.
    busy = holding(HOLD_DATABASE, home.metadata_path("anomaly"), seconds=15)

    result = aepipe("models", "rollback", MODEL, "--home", home.root)

    release(busy)
    assert result.exit_code == 0
    assert "notice" not in result.err
    assert served_version(folder) == 12
    store = open_store(home, "anomaly")
    assert len(store.get_executions_by_type("aepipe.ModelRollback")) == 1


@pytest.mark.slow
def test_a_database_that_stays_busy_does_not_stop_a_rollback(
    aepipe: Aepipe, home: Home, folder: Path
) -> None:
    busy = holding(HOLD_DATABASE, home.metadata_path("anomaly"))

    result = aepipe("models", "rollback", MODEL, "--home", home.root)

    release(busy)
    assert result.exit_code == 0
    line = f"notice: not recorded: {home.metadata_path('anomaly')}: another process holds this"
    assert line in result.err
    assert served_version(folder) == 12
