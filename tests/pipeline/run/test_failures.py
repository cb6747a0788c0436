"""A failure comes down to one line: whose mistake it is, or which folder is at fault."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.run.failures import (
    file_fault,
    full_disk,
    full_temporary_folder,
    gate_refusal,
    home_fault,
    user_mistake,
)
from pipeline_config import GateRefusalError, SettingError, UserInputError
from tests.faults import fill, small_disk

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _raise(error: Exception) -> None:
    raise error


def _through_beam(error: Exception) -> BaseException:
    with (
        pytest.raises(Exception) as caught,  # noqa: PT011 - Beam chooses the type.
        beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline,
    ):
        _ = pipeline | beam.Create([1]) | beam.Map(lambda _: _raise(error))
    return caught.value


@pytest.mark.parametrize("kind", [UserInputError, SettingError])
def test_a_mistake_is_found_as_it_was_raised_behind_beam(kind: type[UserInputError]) -> None:
    error = _through_beam(kind("/d/x.csv, row 3: 'abc' is not a number; mend the row"))
    assert user_mistake(error) == "/d/x.csv, row 3: 'abc' is not a number; mend the row"


def test_a_mistake_is_found_behind_another_exception() -> None:
    error = RuntimeError("wrapped")
    error.__cause__ = UserInputError("line")
    assert user_mistake(error) == "line"


def test_a_bug_is_not_taken_for_a_mistake() -> None:
    error = _through_beam(ZeroDivisionError("division by zero"))
    assert user_mistake(error) is None
    assert full_disk(error) is None
    assert gate_refusal(error) is None


@pytest.mark.parametrize(
    "text", ["write failed: No space left on device", "sqlite: database or disk is full"]
)
def test_a_full_disk_is_found_in_the_text_of_any_exception(text: str) -> None:
    found = full_disk(_through_beam(RuntimeError(text)))
    assert found is not None
    assert "No space left" in str(found)


def test_a_refusal_is_found() -> None:
    assert (
        gate_refusal(GateRefusalError("feature 'signal': too large"))
        == "feature 'signal': too large"
    )


@pytest.fixture
def disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """A home and a folder for temporary files, each on a small disk of its own."""
    with (
        small_disk(tmp_path / "home", "400k") as home,
        small_disk(tmp_path / "temporary", "400k") as temporary,
    ):
        scratch = temporary / "aepipe-tmp-abc"
        scratch.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(scratch))
        yield home, temporary


@pytest.mark.parametrize("full", ["home", "temporary"])
@pytest.mark.parametrize("error", [FULL, RuntimeError("write: No space left on device")])
def test_the_full_folder_is_named(error: Exception, full: str, disks: tuple[Path, Path]) -> None:
    home, temporary = disks
    fill(home if full == "home" else temporary)
    line = home_fault(error, home)
    assert line is not None
    assert (str(home) in line, str(temporary) in line) == (full == "home", full == "temporary")
    assert "no space left on device" in line
    assert ("TMPDIR" in line) == (full == "temporary")
    assert bool(full_temporary_folder(error)) == (full == "temporary")


def test_the_file_that_could_not_be_written_is_what_counts(disks: tuple[Path, Path]) -> None:
    home, temporary = disks
    file = f"{tempfile.gettempdir()}/beam/x"
    for error in (OSError(errno.ENOSPC, "full", file), RuntimeError(f"{file}; {FULL}")):
        line = home_fault(error, home)
        assert line is not None
        assert str(temporary) in line
        assert str(home) not in line


def test_both_are_named_if_both_have_room_again(disks: tuple[Path, Path]) -> None:
    line = home_fault(FULL, disks[0])
    assert line is not None
    assert all(str(folder) in line for folder in disks)
    assert len(line.splitlines()) == 1


def test_a_home_that_is_gone_is_what_a_bug_comes_from(tmp_path: Path) -> None:
    error = RuntimeError("no such table: Type\nand more")
    assert home_fault(error, tmp_path, [tmp_path]) is None
    line = home_fault(error, tmp_path, [tmp_path / "runs"])
    assert line is not None
    assert f"{tmp_path}/runs was removed" in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    "number",
    [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO],
)
def test_a_file_that_cannot_be_used_is_one_line(number: int) -> None:
    line = file_fault(OSError(number, os.strerror(number), "/d/report.html"))
    assert line is not None
    assert line.startswith("/d/report.html: ")
    assert os.strerror(number).lower() in line


def test_a_file_that_is_missing_may_be_a_bug() -> None:
    assert file_fault(FileNotFoundError(errno.ENOENT, "no such file", "/d/x")) is None
