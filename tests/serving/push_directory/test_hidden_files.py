"""A path holds one whole output, whatever ends a writer and however many there are at once."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.pool import Pool
from pathlib import Path

import pytest

from serving.push_directory.durable_files import hidden_file, hidden_folder

WRITERS = 6
ROUNDS = 60
LINES = 200


def write_file(path: Path, text: str) -> None:
    with hidden_file(path) as hidden, hidden.open("w") as file:
        for _ in range(LINES):
            file.write(text)


def write_folder(path: Path, text: str) -> None:
    with hidden_folder(path, check=list) as hidden:
        for index in range(3):
            (hidden / f"part-{index}").write_text(text)


def is_whole_file(path: Path) -> bool:
    return len(set(path.read_text().splitlines())) == 1 and path.stat().st_size == LINES * 3


def is_whole_folder(path: Path) -> bool:
    return sorted(part.name for part in path.iterdir()) == [f"part-{i}" for i in range(3)] and (
        len({part.read_text() for part in path.iterdir()}) == 1
    )


def many_rounds(path: Path, write: Callable[[Path, str], None], number: int) -> None:
    for _ in range(ROUNDS):
        write(path, f"{number:02}\n")


def test_a_hidden_file_or_folder_takes_the_name_only_at_a_good_end(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    for text in ("first", "second"):
        with hidden_file(file) as hidden:
            hidden.write_text(text)
        with hidden_folder(folder, check=list) as hidden:
            (hidden / text).touch()
    for hiding in (hidden_file(file), hidden_folder(folder, check=list)):
        with pytest.raises(KeyError), hiding:
            raise KeyError

    assert file.read_text() == "second"
    assert [path.name for path in folder.iterdir()] == ["second"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


CASES = pytest.mark.parametrize(
    ("write", "is_whole"), [(write_file, is_whole_file), (write_folder, is_whole_folder)]
)


@CASES
def test_processes(
    tmp_path: Path, write: Callable[[Path, str], None], is_whole: Callable[[Path], bool]
) -> None:
    path = tmp_path / "scores [1].csv"
    with multiprocessing.get_context("spawn").Pool(WRITERS) as pool:
        assert isinstance(pool, Pool)
        pool.starmap(many_rounds, [(path, write, number) for number in range(WRITERS)])
    assert is_whole(path)
    assert list(tmp_path.iterdir()) == [path]


@CASES
def test_threads(
    tmp_path: Path, write: Callable[[Path, str], None], is_whole: Callable[[Path], bool]
) -> None:
    path = tmp_path / "scores.csv"
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            many_rounds(path, write, number)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert is_whole(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_beside_the_writers_never_finds_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    write_file(path, "99\n")
    threads = [
        threading.Thread(target=many_rounds, args=(path, write_file, number)) for number in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        text = path.read_text()
        assert len(text) == LINES * 3
        assert len(set(text.splitlines())) == 1


def test_a_folder_that_a_killed_process_had_set_aside_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    aside = tmp_path / ".scores.csv.former-01234567"
    write_folder(aside, "old")
    with hidden_folder(path, check=list) as hidden:
        assert (path / "part-0").read_text() == "old"
        (hidden / "part-0").write_text("new")
    assert (path / "part-0").read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_only_leftovers_of_this_output_are_removed(tmp_path: Path) -> None:
    kept = [
        ".x.csv.part-backup",
        ".x.csv.part-0123456789",
        ".x1.csv.part-01234567",
        ".x.csv.part-01234567.txt",
        ".x.csv.lock",
    ]
    for name in (*kept, ".x.csv.part-01234567", ".x.csv.part-89abcdef"):
        (tmp_path / name).write_text("kept")
    write_file(tmp_path / "x.csv", "1")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "x.csv"])
    write_file(tmp_path / "x[1].csv", "1")
    assert (tmp_path / ".x1.csv.part-01234567").exists()


def test_a_link_leads_to_the_new_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "scores.csv"
    link.symlink_to("disk/scores.csv")
    for text in ("one", "two"):
        write_file(link, text)
        assert link.is_symlink()
        assert (tmp_path / "disk" / "scores.csv").read_text() == text * LINES


def hold(path: Path) -> None:
    with hidden_file(path):
        time.sleep(60)


def test_a_killed_writers_file_goes_and_a_living_ones_stays(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=hold, args=(path,)) for _ in range(2)]
    parts: list[set[Path]] = []
    for process in processes:
        process.start()
        deadline = time.monotonic() + 30
        while len(found := set(tmp_path.glob(".scores.csv.part-*"))) <= len(parts):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        parts.append(found)
    first, second = processes
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    write_file(path, "1")
    assert {path, *(parts[1] - parts[0])} == set(tmp_path.iterdir())
    second.kill()
    second.join()
