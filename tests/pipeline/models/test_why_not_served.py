import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.models.pushed_versions import why_not_served
from tests.serving.push_directory.whole_version import write_whole_version


@pytest.mark.parametrize(
    ("content", "version", "sentence"),
    [
        ({}, 13, None),
        ({"withheld": [13]}, 12, None),
        ({"pinned": 11}, 11, None),
        ({}, 12, "12, which is older than what is served, 13; push it again with --from"),
        ({}, 10, "10, which is not there any more; push it again with --from VersionedPusher"),
        ({"pinned": 11}, 13, "13, which is not what is served: 11 is pinned; pin it with"),
        ({"withheld": [13]}, 13, "13, which was rolled back: 12 is served; restore it with"),
        ({"withheld": [12, 13]}, 12, "restore it with aepipe models rollback ecg --to 12"),
        (
            {"pinned": 11, "withheld": [13]},
            13,
            "11 is pinned; pin it with aepipe models pin ecg 13",
        ),
    ],
)
def test_the_sentence_for_a_pushed_version_that_is_not_served(
    tmp_path: Path, content: dict[str, Any], version: int, sentence: str | None
) -> None:
    folder = tmp_path / "ecg"
    for number in (11, 12, 13):
        write_whole_version(folder / str(number))
    (folder / "versions.json").write_text(json.dumps(content))

    reported = why_not_served(folder / str(version))

    assert len(reported) == (sentence is not None)
    assert (sentence or "") in "".join(reported)
