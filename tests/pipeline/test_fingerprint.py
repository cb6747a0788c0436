import shutil
from pathlib import Path

import pytest

from pipeline import fingerprint
from pipeline.fingerprint import source_fingerprint, sources

REPOSITORY = fingerprint.REPOSITORY


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {"trainer/a.py": "a = 1\n", "trainer/b/c.py": "", "other/d.py": ""}.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(fingerprint, "REPOSITORY", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "same"),
    [
        ("trainer/a.py", "a = 2\n", False),
        ("trainer/b/c.py", "x = 1\n", False),
        ("trainer/new.py", "", False),
        ("trainer/notes.txt", "not code", True),
        ("other/d.py", "x = 1\n", True),
    ],
)
def test_only_an_edit_of_the_named_code_changes_it(
    repository: Path, file: str, text: str, same: bool
) -> None:
    before = source_fingerprint("trainer")
    (repository / file).write_text(text)
    assert (source_fingerprint("trainer") == before) is same


def test_a_folder_without_code_is_a_bug(repository: Path) -> None:
    with pytest.raises(FileNotFoundError):
        source_fingerprint("nowhere")


@pytest.mark.parametrize(
    "statement",
    [
        "import other.d",
        "from other import d",
        "from other.d import x as y",
        "import os, other.d as z",
        "def run():\n    from other import d",
        "import between",
        "import other.inner.e",
    ],
)
def test_an_edit_of_what_is_imported_changes_it(repository: Path, statement: str) -> None:
    (repository / "trainer" / "a.py").write_text(statement + "\n")
    (repository / "between.py").write_text("from other import d\n")
    (repository / "other" / "inner").mkdir()
    (repository / "other" / "inner" / "e.py").write_text("from ..d import x\n")
    before = source_fingerprint("trainer")
    (repository / "unrelated.py").write_text("x = 1\n")
    assert source_fingerprint("trainer") == before
    (repository / "other" / "d.py").write_text("x = 2\n")
    assert source_fingerprint("trainer") != before


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This repository's sources, to edit."""
    ignored = shutil.ignore_patterns("raw", "sample", "__pycache__")
    for folder in ("components", "trainer", "data", "serving"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignored)
    for module in REPOSITORY.glob("*.py"):
        shutil.copy(module, tmp_path)
    monkeypatch.setattr(fingerprint, "REPOSITORY", tmp_path)
    return tmp_path


STAGES = {
    "ExampleGen": ("components/example_gen",),
    "DataGate": ("components/data_gate",),
    "Transform": ("components/preprocessing",),
    "Trainer": ("trainer",),
    "ThresholdEvaluator": ("components/threshold_evaluator",),
    "VersionedPusher": ("components/versioned_pusher",),
}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("pipeline_config.py", set(STAGES)),
        ("data/spans/files.py", {"ExampleGen"}),
        ("data/spans/folder.py", {"ExampleGen"}),
        ("data/download.py", set()),
        ("serving/push_directory/publish.py", {"VersionedPusher"}),
        ("trainer/models.py", {"Trainer"}),
    ],
)
def test_an_edit_runs_the_stages_that_depend_on_it(
    copied: Path, file: str, expected: set[str]
) -> None:
    before = {stage: source_fingerprint(*folders) for stage, folders in STAGES.items()}
    with (copied / file).open("a") as source:
        source.write("\nEDITED = 1\n")
    after = {stage: source_fingerprint(*folders) for stage, folders in STAGES.items()}
    assert {stage for stage in STAGES if before[stage] != after[stage]} == expected


def test_a_copy_of_the_code_has_the_same_fingerprint(copied: Path) -> None:
    here = source_fingerprint("components", "trainer", "serving")
    fingerprint.REPOSITORY = REPOSITORY
    assert source_fingerprint("components", "trainer", "serving") == here
    assert {"pipeline_config.py", "data/spans/folder.py"} < sources("components").keys()
