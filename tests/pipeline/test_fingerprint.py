from pathlib import Path

import pytest

from pipeline import fingerprint
from pipeline.fingerprint import source_fingerprint


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
