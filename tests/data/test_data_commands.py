"""What `aepipe data fetch`, `status` and `sample` do."""

import dataclasses
import os
from pathlib import Path

import pytest

from data.catalog import CATALOG, files_for
from data.commands import FileStatus, fetch, sample, status
from data.download import NoNetworkError
from data.sources import resolve
from pipeline_config import ANOMALY, BASIC, DENOISE, UserInputError

BEATS = b"0.5,-0.5,1.0\n"
IMAGES = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")


@pytest.fixture
def catalog(server):
    images = [
        server.publish(name, name.encode(), folder="fashion_mnist", shape=(28, 28))
        for name in IMAGES
    ]
    return [server.publish("ecg.csv", BEATS), *images]


def test_fetch_gets_each_file_once(catalog, server, patience, tmp_path):
    done = fetch([BASIC, DENOISE, ANOMALY], tmp_path, catalog=catalog, patience=patience)
    assert [one.file for one in done] == [
        *(f"fashion_mnist/{name}" for name in IMAGES),
        "ecg/ecg.csv",
    ]
    assert all(one.downloaded and one.path.stat().st_size == one.bytes for one in done)
    assert len(server.requests) == 3
    again = fetch([BASIC, ANOMALY], tmp_path, catalog=catalog, patience=patience)
    assert not any(one.downloaded for one in again)
    assert len(server.requests) == 3


def test_fetch_replaces_a_damaged_file(catalog, patience, tmp_path):
    (done,) = fetch([ANOMALY], tmp_path, catalog=catalog, patience=patience)
    done.path.write_bytes(b"damaged")
    (again,) = fetch([ANOMALY], tmp_path, catalog=catalog, patience=patience)
    assert again.downloaded
    assert done.path.read_bytes() == BEATS


def test_what_was_fetched_is_what_a_run_takes(catalog, patience, tmp_path):
    (done,) = fetch([ANOMALY], tmp_path, catalog=catalog, patience=patience)
    found = resolve(ANOMALY, data_dir=None, environ={}, cache_dir=tmp_path, catalog=catalog)
    assert found.source == "downloaded"
    assert found.directory == done.path.parent.absolute()


def block_with_file(cache: Path) -> None:
    (cache / "raw").write_text("in the way")


def block_with_partial_file(cache: Path) -> None:
    (cache / "raw").mkdir()
    (cache / "raw" / ".partial").write_text("in the way")


def block_with_folder_for_the_part(cache: Path) -> None:
    (cache / "raw" / ".partial" / "ecg-ecg.csv.part").mkdir(parents=True)


def block_with_folder_for_the_lock(cache: Path) -> None:
    (cache / "raw" / ".partial" / "ecg-ecg.csv.lock").mkdir(parents=True)


def block_with_folder_for_the_file(cache: Path) -> None:
    (cache / "raw" / "ecg" / "ecg.csv" / "inner").mkdir(parents=True)


def block_with_dangling_link(cache: Path) -> None:
    (cache / "raw").symlink_to(cache / "nowhere" / "else")


def block_with_full_disk(cache: Path) -> None:
    (cache / "raw" / ".partial").mkdir(parents=True)
    (cache / "raw" / ".partial" / "ecg-ecg.csv.part").symlink_to("/dev/full")


def block_with_permissions(cache: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write into any folder")
    (cache / "raw").mkdir(mode=0o500)


@pytest.mark.parametrize(
    "block",
    [
        block_with_file,
        block_with_partial_file,
        block_with_folder_for_the_part,
        block_with_folder_for_the_lock,
        block_with_folder_for_the_file,
        block_with_dangling_link,
        block_with_full_disk,
        block_with_permissions,
    ],
)
def test_a_cache_that_cannot_be_written_is_one_line(block, catalog, patience, tmp_path):
    block(tmp_path)
    for act in (
        lambda: fetch([ANOMALY], tmp_path, catalog=catalog, patience=patience),
        lambda: resolve(
            ANOMALY,
            data_dir=None,
            environ={},
            cache_dir=tmp_path,
            catalog=catalog,
            patience=patience,
        ),
    ):
        with pytest.raises(UserInputError, match="cannot keep downloads there") as raised:
            act()
        assert len(str(raised.value).splitlines()) == 1
        assert str(tmp_path / "raw") in str(raised.value)


def test_fetch_without_a_network(catalog, closed_port, patience, tmp_path):
    unreachable = [dataclasses.replace(one, url=f"{closed_port}/{one.name}") for one in catalog]
    with pytest.raises(NoNetworkError):
        fetch([ANOMALY], tmp_path, catalog=unreachable, patience=patience)


def test_fetch_for_another_shape(catalog, tmp_path):
    config = dataclasses.replace(ANOMALY, data=dataclasses.replace(ANOMALY.data, length=200))
    with pytest.raises(UserInputError, match=r"nothing to fetch for 'anomaly'.*\(200,\)"):
        fetch([config], tmp_path, catalog=catalog)


def test_status_of_an_empty_cache(tmp_path):
    rows = status(tmp_path, {})
    assert [row.file for row in rows] == [str(file.path) for file in CATALOG]
    assert not any(row.present for row in rows)
    assert {(row.bytes, row.verified) for row in rows} == {(0, None)}


def test_status_of_whole_damaged_and_missing_files(catalog, patience, tmp_path):
    fetch([ANOMALY, BASIC], tmp_path, catalog=catalog, patience=patience)
    folder = tmp_path / "raw" / "fashion_mnist"
    (folder / IMAGES[0]).write_bytes(b"damaged")
    (folder / IMAGES[1]).unlink()
    whole, damaged, missing = status(tmp_path, {}, catalog=catalog)
    path = tmp_path / "raw" / "ecg" / "ecg.csv"
    assert whole == FileStatus("ecg/ecg.csv", path, True, len(BEATS), True, None)
    assert (damaged.present, damaged.bytes, damaged.verified) == (True, 7, False)
    assert "SHA-256" in damaged.note
    assert (missing.present, missing.verified) == (False, None)


@pytest.mark.parametrize("name", ["ecg/ecg.csv", "ecg.csv"])
def test_status_of_a_given_folder(catalog, tmp_path, name):
    path = tmp_path / "given" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(BEATS)
    row = status(tmp_path, {"AEPIPE_DATA": str(tmp_path / "given")}, catalog=catalog)[0]
    assert (row.path, row.verified) == (path, True)


def test_sample_can_be_given_as_a_data_directory(tmp_path):
    signals = dataclasses.replace(ANOMALY.data, sample_rows=50)
    images = dataclasses.replace(BASIC.data, sample_train=10, sample_eval=10)
    configs = [
        dataclasses.replace(ANOMALY, data=signals),
        dataclasses.replace(BASIC, data=images),
    ]
    written = sample(configs, tmp_path)
    assert [one.pipeline for one in written] == ["anomaly", "basic"]
    assert [len(one.files) for one in written] == [1, 4]
    for config, one in zip(configs, written, strict=True):
        found = resolve(config, data_dir=tmp_path, environ={}, cache_dir=Path("unused"))
        assert (found.directory, found.source) == (one.directory, "given")
        assert one.files == {name: (one.directory / name).stat().st_size for name in one.files}


def test_the_catalog_serves_the_three_pipelines():
    assert [file.name for file in files_for(ANOMALY.data)] == ["ecg.csv"]
    assert len(files_for(BASIC.data)) == 4
    assert files_for(BASIC.data) == files_for(DENOISE.data)


@pytest.mark.slow
def test_the_catalog_names_the_real_files():
    if not os.environ.get("AEPIPE_DATA"):
        pytest.skip("AEPIPE_DATA names no folder with the tutorial's files")
    rows = status(Path("unused"), {"AEPIPE_DATA": os.environ["AEPIPE_DATA"]})
    assert [row.verified for row in rows] == [True] * 5
    sizes = {str(file.path): file.size for file in CATALOG}
    assert {row.file: row.bytes for row in rows} == sizes
