"""The tutorial's own files: where they come from, and whether a file is one of them."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np

from data.spans.digests import file_sha256
from data.spans.files import matches, patterns_of
from pipeline_config import ImageData, SignalData


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of the tutorial.

    Attributes:
        folder: Sub-folder of a data directory.
        name: File name.
        url: Where it is published.
        size: Bytes.
        sha256: Hex digest.
        shape: Shape of one example; a config with another shape has no use for the file.
        labels: Rows of each label in a CSV without a header. If the digest differs, they and the
            shape decide; without them the digest alone does.
    """

    folder: str
    name: str
    url: str
    size: int
    sha256: str
    shape: tuple[int, ...]
    labels: Mapping[int, int] | None = None

    @property
    def path(self) -> PurePosixPath:
        """Path below a data directory."""
        return PurePosixPath(self.folder, self.name)


def _fashion_mnist(name: str, size: int, sha256: str) -> SourceFile:
    return SourceFile(
        folder="fashion_mnist",
        name=name,
        url=f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{name}",
        size=size,
        sha256=sha256,
        shape=(28, 28),
    )


CATALOG: Sequence[SourceFile] = (
    SourceFile(
        folder="ecg",
        name="ecg.csv",
        url="https://storage.googleapis.com/download.tensorflow.org/data/ecg.csv",
        size=7_877_383,
        sha256="72ce7b040ca0c6ed36c3368e570c6ac4ddf20100476e47373c63b2395e012df1",
        shape=(140,),
        labels=MappingProxyType({1: 2919, 0: 2079}),
    ),
    _fashion_mnist(
        "train-images-idx3-ubyte.gz",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    _fashion_mnist(
        "train-labels-idx1-ubyte.gz",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    _fashion_mnist(
        "t10k-images-idx3-ubyte.gz",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    _fashion_mnist(
        "t10k-labels-idx1-ubyte.gz",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)


def files_for(
    data: SignalData | ImageData, catalog: Sequence[SourceFile] = CATALOG
) -> tuple[SourceFile, ...]:
    """Returns the files that serve a config: its folder, its shape, its file patterns.

    Empty if the config asks for something else than the tutorial's data.
    """
    patterns = patterns_of(data)
    files = [file for file in catalog if (file.folder, file.shape) == (data.folder, data.shape)]
    if not all(any(matches(file.name, pattern) for file in files) for pattern in patterns):
        return ()
    return tuple(file for file in files if any(matches(file.name, one) for one in patterns))


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a file may be used, and one line on what differs from the catalog, if anything."""

    genuine: bool
    note: str | None = None


def verify(source: SourceFile, path: Path) -> Verdict:
    """Compares a file with the catalog: its digest, then the table if its labels are known."""
    digest = file_sha256(path)
    if digest == source.sha256:
        return Verdict(genuine=True)
    differs = f"{source.path}: SHA-256 is {digest}, expected {source.sha256}"
    if source.labels is None:
        return Verdict(genuine=False, note=differs)
    problem = _table_problem(path, math.prod(source.shape) + 1, source.labels)
    if problem:
        return Verdict(genuine=False, note=f"{differs}, and {problem}")
    return Verdict(genuine=True, note=f"{differs}; used, as its shape and class counts are right")


def _table_problem(path: Path, columns: int, labels: Mapping[int, int]) -> str | None:
    """Returns what is wrong with a CSV whose last column is the label."""
    try:
        table = np.loadtxt(path, delimiter=",", ndmin=2)
    except ValueError:
        return "it is not a table of numbers"
    expected = (sum(labels.values()), columns)
    if table.shape != expected:
        return "it is {} x {}, not {} x {}".format(*table.shape, *expected)
    values, counts = np.unique(table[:, -1], return_counts=True)
    found = dict(zip(values.tolist(), counts.tolist(), strict=True))
    if found != labels:
        return f"its rows a class are {found}, not {dict(labels)}"
    return None
