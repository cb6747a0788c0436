"""Which data a pipeline gets, and the message about a folder that cannot be used."""

import dataclasses
from pathlib import Path
from typing import Any

import file_server as faults
import pytest

from data.choice import choose_data
from data.download import DownloadError
from data.sources import DataSource, resolve
from pipeline_config import ANOMALY, BASIC, PipelineConfig, UserInputError

BEATS = b"0.5,-0.5,1.0\n"


def changed(config: PipelineConfig, **values: Any) -> PipelineConfig:
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **values))


ANOMALY_SMALL = changed(ANOMALY, sample_rows=50)
BASIC_SMALL = changed(BASIC, sample_train=10, sample_eval=10)


@pytest.fixture
def find(server, patience, tmp_path):
    """`resolve` with a server that has `ecg.csv` and a cache in the test's folder."""
    catalog = [server.publish("ecg.csv", BEATS)]

    def call(
        config: PipelineConfig = ANOMALY_SMALL,
        data_dir: Path | None = None,
        fetch: bool = True,
        **environ: str,
    ) -> DataSource:
        return resolve(
            config,
            data_dir=data_dir,
            environ=environ,
            cache_dir=tmp_path / "cache",
            fetch=fetch,
            catalog=catalog,
            patience=patience,
        )

    return call


def data_folder(root: Path, name: str = "ecg/ecg.csv") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(BEATS)
    return root


@pytest.mark.parametrize(
    ("has", "expected", "requests"),
    [
        ({"argument", "variable", "cache", "network"}, "argument", 0),
        ({"variable", "cache", "network"}, "variable", 0),
        ({"cache", "network"}, "cache", 0),
        ({"cache"}, "cache", 0),
        ({"network"}, "network", 1),
        (set(), "sample", 0),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else None,
)
def test_the_first_of_the_sources_that_there_is(find, server, tmp_path, has, expected, requests):
    cache = tmp_path / "cache"
    environ = {} if "network" in has else {"AEPIPE_OFFLINE": "1"}
    argument = data_folder(tmp_path / "argument") if "argument" in has else None
    if "variable" in has:
        environ["AEPIPE_DATA"] = str(data_folder(tmp_path / "variable"))
    if "cache" in has:
        data_folder(cache / "raw")
    found = find(data_dir=argument, **environ)
    assert (
        found.directory
        == {
            "argument": tmp_path / "argument" / "ecg",
            "variable": tmp_path / "variable" / "ecg",
            "cache": cache / "raw" / "ecg",
            "network": cache / "raw" / "ecg",
            "sample": cache / "sample" / "ecg",
        }[expected]
    )
    assert (
        found.source
        == {
            "argument": "given",
            "variable": "given",
            "cache": "downloaded",
            "network": "downloaded",
            "sample": "sample",
        }[expected]
    )
    assert (found.notice is None) == (expected != "sample")
    assert len(server.requests) == requests
    assert list(found.directory.glob("*.csv"))


def test_files_may_lie_in_the_given_folder_itself(find, tmp_path):
    root = data_folder(tmp_path / "mine", "beats.csv")
    assert find(data_dir=root) == DataSource(root, "given")


def test_a_relative_folder_and_a_home_folder(find, tmp_path, monkeypatch):
    data_folder(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find(data_dir=Path("mine")).directory == tmp_path / "mine" / "ecg"
    assert find(AEPIPE_DATA="~/mine").directory == tmp_path / "mine" / "ecg"


def test_an_empty_variable_is_no_folder(find):
    assert find(AEPIPE_DATA="", AEPIPE_OFFLINE="1").source == "sample"


@pytest.mark.parametrize(
    ("make", "config", "message"),
    [
        pytest.param(lambda root: None, ANOMALY, "no such folder", id="missing"),
        pytest.param(lambda root: root.touch(), BASIC, "a file, not a folder", id="file"),
        pytest.param(
            lambda root: root.mkdir(),
            ANOMALY,
            r"no file matches '\*\.csv\{,\.gz\}', the folder is empty",
            id="empty",
        ),
        pytest.param(
            lambda root: data_folder(root, "ecg/ecg.xls"),
            ANOMALY,
            r"/ecg: no file matches '\*\.csv\{,\.gz\}', it holds ecg\.xls",
            id="no match in the sub-folder",
        ),
        pytest.param(
            lambda root: data_folder(root, "train-images-idx3-ubyte"),
            BASIC,
            r"no file matches 't10k-\*-ubyte\{,\.gz\}'",
            id="one split missing",
        ),
        pytest.param(
            lambda root: data_folder(root, "span-1/ecg.txt"),
            changed(ANOMALY, pattern="span-{SPAN}/*.csv"),
            r"no file matches 'span-\{SPAN\}/\*\.csv'",
            id="no span",
        ),
    ],
)
@pytest.mark.parametrize("way", ["argument", "variable"])
def test_a_given_folder_that_does_not_serve(find, server, tmp_path, make, config, message, way):
    root = tmp_path / "given"
    make(root)
    given = {"data_dir": root} if way == "argument" else {"AEPIPE_DATA": str(root)}
    with pytest.raises(UserInputError, match=message) as raised:
        find(config, **given)
    assert str(root) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert server.requests == []
    assert not (tmp_path / "cache").exists()


def test_one_file_may_be_given(find, tmp_path):
    data_folder(tmp_path / "mine", "beats.tsv")
    data_folder(tmp_path / "mine", "others.csv")
    data_folder(tmp_path / "mine", "span-1/later.csv")
    found = find(data_dir=tmp_path / "mine" / "beats.tsv")
    assert found == DataSource(tmp_path / "mine", "given", file="beats.tsv")
    read = choose_data(ANOMALY, found, [])
    assert (read.files.newest.names, read.facts.files) == (["beats.tsv"], 1)
    assert read.notices == ()


@pytest.mark.parametrize("name", ["a [1].csv", "*.csv", "{a,b}.csv", "{SPAN}.csv", "README.txt"])
def test_a_files_name_means_itself(find, tmp_path, name):
    data_folder(tmp_path, name)
    data_folder(tmp_path, "a 1.csv")
    data_folder(tmp_path, "a.csv")
    read = choose_data(ANOMALY, find(data_dir=tmp_path / name), [])
    assert read.files.newest.names == [name]


def test_spans_in_a_given_folder(find, tmp_path):
    root = data_folder(tmp_path / "mine", "span-3/v-1/beats.csv")
    config = changed(ANOMALY, pattern="span-{SPAN}/v-{VERSION}/*.csv")
    assert find(config, data_dir=root).directory == root


def test_only_the_pipelines_own_files_are_fetched(find, server, tmp_path):
    with pytest.raises(UserInputError, match="no data given"):
        find(BASIC)
    assert server.requests == []
    find(ANOMALY)
    assert server.requests == ["/ecg.csv"]


def test_no_network_ends_in_the_sample_with_a_loud_line(closed_port, server, patience, tmp_path):
    source = dataclasses.replace(server.publish("ecg.csv", BEATS), url=f"{closed_port}/ecg.csv")
    found = resolve(
        ANOMALY_SMALL,
        data_dir=None,
        environ={},
        cache_dir=tmp_path,
        catalog=[source],
        patience=patience,
    )
    assert found.source == "sample"
    assert found.directory == tmp_path / "sample" / "ecg"
    assert found.notice.startswith("NOT REAL DATA")
    assert "no connection to" in found.notice
    assert len(found.notice.splitlines()) == 1


@pytest.mark.parametrize("no_fetch", [{"fetch": False}, {"AEPIPE_OFFLINE": "1"}])
@pytest.mark.parametrize("config", [ANOMALY_SMALL, BASIC_SMALL], ids=lambda config: config.name)
def test_offline_does_not_try_the_network(find, server, config, no_fetch):
    found = find(config, **no_fetch)
    assert found.source == "sample"
    assert "network was not tried" in found.notice
    assert server.requests == []


def test_offline_0_is_online(find):
    assert find(AEPIPE_OFFLINE="0").source == "downloaded"


def test_a_server_that_fails_is_an_error_and_not_a_sample(find, server, tmp_path):
    server.answer("ecg.csv", faults.status(404))
    with pytest.raises(DownloadError, match="answered 404"):
        find()
    assert not (tmp_path / "cache" / "sample").exists()


def test_a_file_taken_by_its_shape_and_labels_is_reported(server, patience, tmp_path):
    source = server.publish("ecg.csv", b"0.5," * 140 + b"1.0\n", sha256="0" * 64, labels={1: 1})
    found = resolve(
        ANOMALY, data_dir=None, environ={}, cache_dir=tmp_path, catalog=[source], patience=patience
    )
    assert found.source == "downloaded"
    assert "SHA-256" in found.notice


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (changed(ANOMALY_SMALL, length=200), "length 200"),
        (changed(BASIC_SMALL, height=32), "images of 32 x 28"),
        (changed(ANOMALY_SMALL, folder="pumps"), r"'anomaly' \(pumps\)"),
        (changed(ANOMALY_SMALL, pattern="{SPAN}/*.csv"), r"the patterns '\{SPAN\}/\*\.csv'"),
    ],
    ids=["length", "size", "folder", "pattern"],
)
def test_the_tutorials_files_do_not_serve_another_shape(find, server, config, wanted):
    with pytest.raises(UserInputError, match=f"^no data given for {wanted}: use --data-dir$"):
        find(config)
    assert server.requests == []


def test_the_sample_serves_another_shape_where_there_is_no_network(find):
    found = find(changed(ANOMALY_SMALL, length=20), AEPIPE_OFFLINE="1")
    first = (found.directory / "ecg.csv").read_text().splitlines()[0]
    assert first.count(",") == 20


@pytest.mark.parametrize("environ", [{}, {"AEPIPE_OFFLINE": "1"}], ids=["online", "offline"])
def test_a_cache_that_cannot_be_written(find, tmp_path, environ):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserInputError, match=r"/cache.*: cannot (keep|write)"):
        find(**environ)
