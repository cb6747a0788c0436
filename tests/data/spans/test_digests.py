"""Which files are read, and the digest over them."""

import shutil

import pytest

from data.spans.digests import FileDigests
from data.spans.files import matching_files

NAMES = [
    "ecg.csv",
    "more.csv.gz",
    "notes.txt",
    ".hidden.csv",
    "span-1/ecg.csv",
    "span-2/ecg.csv",
    "span-2/v-07/ecg.csv",
]


def digest_of(files):
    return FileDigests().of_files(files)


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        path = tmp_path / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "given" / "folder.csv").mkdir()
    return tmp_path / "given"


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["*.csv*"], ["ecg.csv", "more.csv.gz"]),
        (["*.csv*", "ecg.*"], ["ecg.csv", "more.csv.gz"]),
        (["notes.txt", "ecg.csv"], ["ecg.csv", "notes.txt"]),
        (["span-{SPAN}/*.csv"], ["span-1/ecg.csv", "span-2/ecg.csv"]),
        (["span-{SPAN}/v-{VERSION:2}/*"], ["span-2/v-07/ecg.csv"]),
        (["*.parquet"], []),
    ],
)
def test_matching_files(folder, patterns, found):
    assert matching_files(folder, patterns) == [folder / name for name in found]


def test_matching_files_of_a_missing_folder(tmp_path):
    assert matching_files(tmp_path / "none", ["*"]) == []


def test_digest_does_not_depend_on_order_or_place(folder, tmp_path):
    files = matching_files(folder, ["*.csv*", "span-*/*.csv"])
    digest = digest_of(files)
    assert len(digest) == 64
    assert digest_of(files[::-1]) == digest
    shutil.copytree(folder, tmp_path / "copy")
    assert digest_of(matching_files(tmp_path / "copy", ["*.csv*", "span-*/*.csv"])) == digest


@pytest.mark.parametrize("change", ["content", "name", "added", "swapped", "moved bytes"])
def test_digest_sees_every_change(folder, change):
    def digest() -> str:
        return digest_of(matching_files(folder, ["*.csv*"]))

    ecg, more = folder / "ecg.csv", folder / "more.csv.gz"
    before = digest()
    if change == "content":
        ecg.write_text("ecg.csw")
    elif change == "name":
        ecg.rename(folder / "ecg2.csv")
    elif change == "added":
        (folder / "empty.csv").touch()
    elif change == "swapped":
        ecg.write_text("more.csv.gz")
        more.write_text("ecg.csv")
    else:
        ecg.write_text("ecg.csvm")
        more.write_text("ore.csv.gz")
    assert digest() != before


def test_digest_differs_between_spans(folder):
    one = matching_files(folder, ["ecg.csv", "span-1/*"])
    other = matching_files(folder, ["ecg.csv", "span-2/*.csv"])
    (folder / "span-2" / "ecg.csv").write_bytes((folder / "span-1" / "ecg.csv").read_bytes())
    assert digest_of(one) != digest_of(other)


def test_digest_of_no_files():
    assert len(digest_of([])) == 64
