"""WFDB records: signals in physical units, read in parts, and the annotations beside them.

Format: https://wfdb.io/spec/, PhysioNet's. A record is a header (`.hea`), files of samples that it
names (often `.dat`), and annotations (`.atr` and others). A record of several segments is read as
one; what is in no segment is NaN.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_config import UserInputError

_SUFFIX = ".hea"
_END_OF_ANNOTATIONS = b"\0\0"
_DIFFERENCES = "8"
_COPY_AGAIN = "copy or download the record's files again"


@dataclasses.dataclass(frozen=True)
class WfdbRecord:
    """A record.

    Attributes:
        path: Its header.
        samples: Samples of each channel.
        frequency: Samples a second.
        channels: Names of the channels, empty if they have none.
    """

    path: str
    samples: int
    frequency: float
    channels: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the library calls the record: its header's path without `.hea`."""
        return self.path[: -len(_SUFFIX)]

    def read(self, start: int, stop: int, channels: list[int]) -> npt.NDArray[np.float32]:
        """Returns samples [stop - start, channels] in physical units; NaN if one is invalid.

        Raises:
            UserInputError: A file of samples is not there, is damaged or ends early.
        """
        import wfdb

        try:
            # The library returns channels in their own order, or each once, not always as asked.
            wanted = sorted(set(channels))
            part = wfdb.rdrecord(self.name, start, stop, wanted).p_signal
        except FileNotFoundError as error:
            missing = Path(error.filename or self.name).name
            raise UserInputError(
                f"{self.path}: {missing}, which it names, is not beside it: put the record's files "
                "into one folder"
            ) from error
        except Exception as error:  # The library fails in many ways on what it did not expect.
            raise self._damaged(start, stop) from error
        if part is None or part.shape != (stop - start, len(wanted)):
            raise self._damaged(start, stop)
        return part.astype(np.float32)[:, [wanted.index(channel) for channel in channels]]

    def _damaged(self, start: int, stop: int) -> UserInputError:
        return UserInputError(
            f"{self.path}: samples {start + 1} to {stop} of {self.samples} cannot be read: a file "
            f"of samples is damaged or ends early: {_COPY_AGAIN}"
        )


@dataclasses.dataclass(frozen=True)
class Annotations:
    """What an annotator says of a record.

    Attributes:
        path: The file.
        samples: int64 [n]; the sample of each annotation, ascending.
        symbols: str [n]; what it is, such as "N" or "V".
    """

    path: str
    samples: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.str_]


def read_wfdb_header(path: str) -> WfdbRecord:
    """Returns what a header says.

    Raises:
        UserInputError: It is no header of WFDB, or names no channel or no number of samples.
    """
    import wfdb

    if "://" in path:
        raise UserInputError(
            f"{path}: WFDB records are read from a folder of this machine: copy the record's files"
        )
    if not Path(path).exists():
        raise UserInputError(f"{path}: no such file")
    try:
        header: Any = wfdb.rdheader(path[: -len(_SUFFIX)], rd_segments=True)
    except FileNotFoundError as error:
        missing = Path(error.filename or path).name
        raise UserInputError(
            f"{path}: {missing}, a segment of the record, is not beside it: put the record's files "
            "into one folder"
        ) from error
    except Exception as error:  # The library's parser ends in whatever its regular expressions do.
        raise UserInputError(
            f"{path}: the header of a WFDB record is damaged, or it is none: {_COPY_AGAIN}"
        ) from error
    names = tuple(name or "" for name in header.sig_name or ())
    if not names:
        raise UserInputError(f"{path}: the record has no channels: name one with signals")
    parts = getattr(header, "segments", None) or [header]
    if any(_DIFFERENCES in (part.fmt or ()) for part in parts if part is not None):
        raise UserInputError(
            f"{path}: the samples are in format 8, differences, which cannot be read from the "
            "middle: convert the record to format 16 (xform)"
        )
    if not header.sig_len:
        raise UserInputError(
            f"{path}: the header names no number of samples: write it behind the sampling "
            "frequency in the first line"
        )
    return WfdbRecord(path, int(header.sig_len), float(header.fs), names)


def annotators(record: WfdbRecord) -> list[str]:
    """Returns the suffixes of the files beside a record that may be annotations, sorted."""
    name = Path(record.name).name
    beside = Path(record.name).parent.glob(f"{name}.*")
    suffixes = {path.suffix.removeprefix(".") for path in beside if path.stem == name}
    return sorted(suffixes - {"hea", "dat", "mat", "edf", "xws", "txt", "csv"})


def read_annotations(record: WfdbRecord, annotator: str) -> Annotations:
    """Returns the annotations of a record, in the order of time.

    Raises:
        UserInputError: There are none, they are damaged, or one lies outside the record.
    """
    import wfdb

    path = f"{record.name}.{annotator}"
    if not Path(path).exists():
        others = annotators(record)
        remedy = (
            f"--set data.annotator={others[0]} reads {Path(record.name).name}.{others[0]}"
            if others
            else "put it there, or cut windows without: --set data.before=0 --set data.after=0 "
            "--set data.label=none"
        )
        raise UserInputError(f"{record.path}: there is no {Path(path).name} beside it: {remedy}")
    try:
        # The library reads on as if nothing were wrong until it stumbles, or does not.
        if not Path(path).read_bytes().endswith(_END_OF_ANNOTATIONS):
            raise ValueError("no end")
        found = wfdb.rdann(record.name, annotator)
    except Exception as error:
        raise UserInputError(
            f"{path}: the annotations are damaged or end early: {_COPY_AGAIN}"
        ) from error
    if found.fs is not None and found.fs != record.frequency:
        raise UserInputError(
            f"{path}: the annotations count {found.fs:g} steps a second, the record "
            f"{record.frequency:g} samples: give annotations that count its samples"
        )
    samples = np.asarray(found.sample, np.int64)
    order = np.argsort(samples, kind="stable")
    samples, symbols = samples[order], np.array(found.symbol, np.str_)[order]
    outside = (samples < 0) | (samples >= record.samples)
    if outside.any():
        place = int(outside.argmax())
        raise UserInputError(
            f"{path}: the annotation {str(symbols[place])!r} at sample {samples[place]} lies "
            f"outside the record, which has {record.samples}: give annotations of this record"
        )
    return Annotations(path, samples, symbols)
