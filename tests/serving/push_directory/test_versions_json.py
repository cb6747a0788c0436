"""Which version is served, as `versions.json` says, and what pruning leaves."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_config import UserInputError
from serving.push_directory.layout import list_versions
from serving.push_directory.model_versions import prune, served_version
from serving.push_directory.versions_json import VersionFile, read_version_file, write_version_file
from tests.serving.push_directory.whole_version import write_whole_version


def make_versions(folder: Path, *versions: int) -> Path:
    for version in versions:
        write_whole_version(folder / str(version))
    return folder


@pytest.mark.parametrize(
    ("content", "served"),
    [
        (None, 13),
        ({}, 13),
        ({"withheld": [13]}, 12),
        ({"withheld": [12, 13]}, 11),
        ({"withheld": [11, 12, 13]}, 13),
        ({"pinned": 11}, 11),
        ({"pinned": 13, "withheld": [13]}, 13),
        ({"pinned": 7}, 13),
        ({"pinned": 7, "withheld": [13]}, 12),
        ({"labels": {"stable": 11}}, 13),
        ({"labels": {}, "pinned": None, "withheld": []}, 13),
    ],
)
def test_the_served_version(tmp_path: Path, content: Any, served: int) -> None:
    make_versions(tmp_path, 11, 12, 13)
    if content is not None:
        (tmp_path / "versions.json").write_text(json.dumps(content))

    assert served_version(tmp_path) == served


def test_a_version_pushed_after_a_rollback_is_served(tmp_path: Path) -> None:
    make_versions(tmp_path, 11, 12)
    write_version_file(tmp_path, VersionFile(withheld=frozenset({12})))
    assert served_version(tmp_path) == 11

    make_versions(tmp_path, 13)

    assert served_version(tmp_path) == 13


def test_a_model_without_versions_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=f"^{tmp_path}: there is no version"):
        served_version(tmp_path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (VersionFile(), "{}\n"),
        (VersionFile(pinned=12), '{"pinned": 12}\n'),
        (
            VersionFile({"stable": 12, "canary": 13}, 12, frozenset({14, 13})),
            '{"labels": {"canary": 13, "stable": 12}, "pinned": 12, "withheld": [13, 14]}\n',
        ),
    ],
)
def test_what_is_written_is_read_back(tmp_path: Path, content: VersionFile, text: str) -> None:
    write_version_file(tmp_path, content)

    assert (tmp_path / "versions.json").read_text() == text
    assert read_version_file(tmp_path) == content
    assert [path.name for path in tmp_path.iterdir()] == ["versions.json"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is not JSON"),
        ('{"pinned": 12', "it is not JSON"),
        ('["stable"]', "it is not an object"),
        ('{"pined": 12}', "'pined' is not known"),
        ('{"pinned": "12"}', "'12' is not a version"),
        ('{"pinned": true}', "True is not a version"),
        ('{"pinned": -1}', "-1 is not a version"),
        ('{"pinned": 9223372036854775808}', "9223372036854775808 is not a version"),
        ('{"labels": ["stable"]}', "'labels' is not an object"),
        ('{"labels": {"stable": null}}', "None is not a version"),
        ('{"labels": {"a label": 12}}', "'a label' is not a label"),
        ('{"labels": {"12": 12}}', "'12' is not a label"),
        ('{"withheld": 13}', "'withheld' is not a list"),
        ('{"withheld": [1.5]}', "1.5 is not a version"),
    ],
)
def test_a_malformed_file_is_one_line_that_names_it(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "versions.json").write_text(text)

    with pytest.raises(UserInputError) as raised:
        read_version_file(tmp_path)

    assert str(raised.value).startswith(f"{tmp_path}/versions.json: {fault}")
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("keep", "content", "left"),
    [
        (0, {}, [1, 2, 3, 4, 5]),
        (1, {}, [5]),
        (3, {}, [3, 4, 5]),
        (9, {}, [1, 2, 3, 4, 5]),
        (2, {"labels": {"stable": 1}}, [1, 4, 5]),
        (1, {"labels": {"canary": 5}}, [4, 5]),
        (2, {"labels": {"stable": 4, "canary": 5}}, [2, 3, 4, 5]),
        (1, {"pinned": 2}, [2, 5]),
        (1, {"withheld": [4, 5]}, [3, 5]),
        (1, {"pinned": 9, "labels": {"stable": 8}}, [5]),
    ],
)
def test_pruning_keeps_the_newest_the_named_and_the_served(
    tmp_path: Path, keep: int, content: dict[str, Any], left: list[int]
) -> None:
    make_versions(tmp_path, 1, 2, 3, 4, 5)
    (tmp_path / "versions.json").write_text(json.dumps(content))
    served = served_version(tmp_path)

    removed = prune(tmp_path, keep)

    assert list_versions(tmp_path) == left
    assert sorted([*removed, *left]) == [1, 2, 3, 4, 5]
    assert served_version(tmp_path) == served
    assert not list(tmp_path.glob(".removing-*"))


def test_a_malformed_file_prunes_nothing(tmp_path: Path) -> None:
    make_versions(tmp_path, 1, 2)
    (tmp_path / "versions.json").write_text("[]")

    with pytest.raises(UserInputError, match="it is not an object"):
        prune(tmp_path, 1)

    assert list_versions(tmp_path) == [1, 2]
