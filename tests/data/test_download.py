"""Downloads from a real server that fails in the ways that servers do."""

import dataclasses
import random
import time
from pathlib import Path

import file_server as faults
import pytest

from data.download import PARTIAL_FOLDER, DownloadError, NoNetworkError, Patience, download

CONTENT = random.Random(0).randbytes(4 << 16)


def part_of(directory: Path) -> Path:
    return directory / PARTIAL_FOLDER / "ecg-beats.bin.part"


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        pytest.param([], 1, id="well"),
        pytest.param([faults.status(500)], 2, id="500 then well"),
        pytest.param([faults.status(503), faults.status(429)], 3, id="third try"),
        pytest.param([faults.broken_off], 2, id="broken off"),
        pytest.param([faults.broken_off, faults.broken_off], 3, id="broken off twice"),
        pytest.param([faults.hangs_up], 2, id="no answer, then well"),
    ],
)
def test_download_gets_the_file(server, patience, tmp_path, answers, requests):
    source = server.publish("beats.bin", CONTENT)
    server.answer("beats.bin", *answers)
    assert download(source, tmp_path, patience=patience) is None
    assert (tmp_path / "ecg" / "beats.bin").read_bytes() == CONTENT
    assert len(server.requests) == requests
    assert not part_of(tmp_path).exists()


@pytest.mark.parametrize(
    ("answers", "message", "requests"),
    [
        pytest.param([faults.status(404)], "answered 404", 1, id="not found"),
        pytest.param([faults.status(403)], "answered 403", 1, id="forbidden"),
        pytest.param([faults.status(500)] * 3, "answered 500", 3, id="always 500"),
        pytest.param([faults.broken_off] * 3, "broke off", 3, id="always broken off"),
        pytest.param([faults.wrong_content], "SHA-256 is", 1, id="wrong digest"),
        pytest.param(
            [faults.short_without_length], "SHA-256 is", 1, id="truncated without a length"
        ),
    ],
)
def test_download_gives_up(server, patience, tmp_path, answers, message, requests):
    source = server.publish("beats.bin", CONTENT)
    server.answer("beats.bin", *answers)
    with pytest.raises(DownloadError, match=message) as raised:
        download(source, tmp_path, patience=patience)
    assert not isinstance(raised.value, NoNetworkError)
    assert len(str(raised.value).splitlines()) == 1
    assert source.url in str(raised.value)
    assert len(server.requests) == requests
    assert not (tmp_path / "ecg" / "beats.bin").exists()


def test_wrong_content_is_discarded(server, patience, tmp_path):
    source = server.publish("beats.bin", CONTENT)
    server.answer("beats.bin", faults.wrong_content)
    with pytest.raises(DownloadError):
        download(source, tmp_path, patience=patience)
    assert not part_of(tmp_path).exists()


def test_what_an_earlier_process_left_is_written_over(server, patience, tmp_path):
    source = server.publish("beats.bin", CONTENT)
    part_of(tmp_path).parent.mkdir()
    part_of(tmp_path).write_bytes(CONTENT + b"x")
    download(source, tmp_path, patience=patience)
    assert (tmp_path / "ecg" / "beats.bin").read_bytes() == CONTENT


def test_a_file_in_place_is_replaced_only_by_a_whole_one(server, patience, tmp_path):
    source = server.publish("beats.bin", CONTENT)
    target = tmp_path / "ecg" / "beats.bin"
    target.parent.mkdir()
    target.write_bytes(b"before")
    server.answer("beats.bin", *[faults.broken_off] * 3)
    with pytest.raises(DownloadError):
        download(source, tmp_path, patience=patience)
    assert target.read_bytes() == b"before"
    download(source, tmp_path, patience=patience)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("where", ["refused", "unknown name", "unanswered", "silent"])
def test_no_network_is_reported_quickly_by_its_own_error(server, closed_port, tmp_path, where):
    addresses = {
        "refused": closed_port,
        "unknown name": "http://no-such-host.invalid",
        # TEST-NET-1 (RFC 5737) is routed nowhere.
        "unanswered": "http://192.0.2.1",
        "silent": f"http://127.0.0.1:{server.server_port}",
    }
    source = server.publish("beats.bin", CONTENT)
    server.answer("beats.bin", *[lambda handler, content: time.sleep(1.5)] * 3)
    source = dataclasses.replace(source, url=f"{addresses[where]}/beats.bin")
    patience = Patience(pause_s=0.01, connect_s=0.5, read_s=0.5)
    before = time.monotonic()
    with pytest.raises(NoNetworkError, match="no connection to") as raised:
        download(source, tmp_path, patience=patience)
    assert time.monotonic() - before < 5
    assert len(str(raised.value).splitlines()) == 1
    assert " object at 0x" not in str(raised.value)


def csv(rows: list[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        pytest.param(["0.5,1", "0.25,1", "0.125,0"], None, id="other digits"),
        pytest.param(["0.5,1", "0.25,0", "0.125,0"], "rows a class", id="other class counts"),
        pytest.param(["0.5,1", "0.25,0"], "2 x 2, not 3 x 2", id="a row too few"),
        pytest.param(["1,0.5,1", "1,2,1", "3,1,0"], "3 x 3, not 3 x 2", id="a column too many"),
        pytest.param(["<html>", "</html>"], "not a table of numbers", id="a page"),
        pytest.param(["0.5,1", "0.25", "0.125,0"], "not a table of numbers", id="a short row"),
    ],
)
def test_shape_and_labels_decide_if_the_digest_differs(server, patience, tmp_path, rows, problem):
    changes = {"sha256": "0" * 64, "shape": (1,), "labels": {1: 2, 0: 1}}
    source = server.publish("beats.csv", csv(rows), **changes)
    if problem:
        with pytest.raises(DownloadError, match=problem):
            download(source, tmp_path, patience=patience)
        return
    note = download(source, tmp_path, patience=patience)
    assert (tmp_path / source.path).read_bytes() == csv(rows)
    assert "SHA-256" in note
    assert "class counts are right" in note


def test_nothing_is_printed_without_a_terminal(server, patience, tmp_path, capfd):
    download(server.publish("beats.bin", CONTENT), tmp_path, patience=patience)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_a_bar_on_stderr(server, patience, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    download(server.publish("beats.bin", CONTENT), tmp_path, patience=patience)
    out, err = capfd.readouterr()
    assert out == ""
    assert "beats.bin" in err
