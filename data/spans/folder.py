"""What a data folder holds: its files by span, and the window of spans to read."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from data.spans.companions import companions_of
from data.spans.files import (
    LOCAL,
    FileSystem,
    matching_files,
    patterns_of,
    splits_of,
)
from data.spans.names import files_by_span, has_spans
from data.spans.other_formats import find_splits, listing
from data.spans.window import ReadSpan, ReadWindow
from pipeline_config import ImageData, SignalData, UserInputError

_NUMBER_FOLDER = re.compile(r"span-([0-9]+)")
_DATE_FOLDER = re.compile(r"span-[0-9]{4}-[0-9]{2}-[0-9]{2}")


class DataFolder:
    """What a folder holds for the input splits of an ExampleGen; it is listed once.

    Args:
        base: The folder, or a remote prefix.
        splits: File pattern by input split.
        files: Where the folder lies.

    Attributes:
        splits: File pattern by input split as it counts here; see `find_splits`.
        notices: What the user must see of it.

    Raises:
        UserInputError: A folder cannot be read, a pattern is wrong, or there are files of several
            formats, none of which is read by default.
    """

    def __init__(self, base: str, splits: Mapping[str, str], files: FileSystem = LOCAL) -> None:
        self.base = base
        listed = listing(base, files)
        found = find_splits(base, splits, listed)
        self.splits = splits = found.splits
        self.notices = [found.notice] if found.notice else []
        self._file_system = files
        self._names = {split: listed(pattern) for split, pattern in splits.items()}
        named = [pattern for pattern in splits.values() if has_spans(pattern)]
        if named and len(named) < len(splits):
            patterns = ", ".join(splits.values())
            raise UserInputError(f"{patterns}: name spans in both patterns, or in none")
        self._spans = (
            {split: files_by_span(splits[split], names) for split, names in self._names.items()}
            if named
            else {}
        )

    @property
    def unmatched(self) -> str | None:
        """The first pattern that matches no file, if one does not."""
        return next((self.splits[split] for split, names in self._names.items() if not names), None)

    @property
    def span_numbers(self) -> list[int]:
        """Numbers of the spans, ascending; empty if no pattern names spans."""
        return sorted({span.number for spans in self._spans.values() for span in spans})

    def span(self, number: int) -> ReadSpan:
        """Returns the files of one span's newest version.

        Raises:
            UserInputError: The span lacks files of one input split, has another version of them,
                or one of them is no file.
        """
        found = {
            split: next((entry for entry in spans.items() if entry[0].number == number), None)
            for split, spans in self._spans.items()
        }
        some = next(span for span, _ in filter(None, found.values()))
        files = {}
        for split, pattern in self.splits.items():
            of_split = found[split]
            if of_split is None or of_split[0].version != some.version:
                raise UserInputError(
                    f"{self.base}/{some.fill(pattern)}: span {some.name} has no such file: add it, "
                    "or keep the span's folder under another name until it is complete"
                )
            files[split] = self._checked(of_split[1])
        return ReadSpan(some.number, some.name, some.version, files, self._companions(files))

    def newest_window(
        self, size: int, *, compare_spans: bool, left_out: Collection[int] = ()
    ) -> ReadWindow:
        """Returns the newest spans, or all files if no pattern names spans.

        Its fingerprint is a digest of the files' names, sizes and times.

        Args:
            size: How many spans; fewer if there are fewer.
            compare_spans: Whether the newest span is compared with the one before.
            left_out: Spans that are neither read nor compared with, unless one is the newest.

        Raises:
            UserInputError: No file matches, a span lacks files of one input split, or what
                matches is no file.
        """
        if not self._spans:
            return self._window([self._everything()], None)
        if not self.span_numbers:
            pattern = next(iter(self.splits.values()))
            raise UserInputError(f"{self.base}/{pattern}: no file matches: put a span there")
        *earlier, newest = self.span_numbers
        numbers = [*(number for number in earlier if number not in left_out), newest]
        previous = self.span(numbers[-2]) if compare_spans and len(numbers) > 1 else None
        return self._window([self.span(number) for number in numbers[-size:]], previous)

    def _everything(self) -> ReadSpan:
        for split, pattern in self.splits.items():
            if not self._names[split]:
                raise UserInputError(f"{self.base}/{pattern}: no file matches: put data there")
        files = {split: self._checked(names) for split, names in self._names.items()}
        return ReadSpan(0, "", None, files, self._companions(files))

    def _window(self, spans: list[ReadSpan], previous: ReadSpan | None) -> ReadWindow:
        window = ReadWindow(tuple(spans), previous, "")
        lines = [
            (span.number, split, name, *self._file_system.size_and_time(f"{self.base}/{name}"))
            for span in window.all_spans
            for split, names in sorted(span.files.items())
            for name in names
        ]
        lines += [
            (span.number, "", name, *self._file_system.size_and_time(f"{self.base}/{name}"))
            for span in window.all_spans
            for name in span.companions
        ]
        fingerprint = hashlib.sha256(json.dumps(lines).encode()).hexdigest()
        return dataclasses.replace(window, fingerprint=fingerprint)

    def _companions(self, files: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        names = {name for of_split in files.values() for name in of_split}
        return companions_of(self.base, names, self._file_system)

    def _checked(self, names: Iterable[str]) -> tuple[str, ...]:
        checked = tuple(names)
        for name in checked:
            self._file_system.require_file(f"{self.base}/{name}")
        return checked


def with_span_folders(data: SignalData | ImageData, directory: Path) -> SignalData | ImageData:
    """Returns `data` with patterns that look into span folders, if the folder has such.

    They are named by number (`span-7`, or `span-07` throughout) or by date (`span-2024-05-31`).
    Patterns that name spans themselves stay as they are.

    Raises:
        UserInputError: Span folders of both kinds, or of numbers with and without leading zeros,
            or files beside them that the patterns match too.
    """
    if any(has_spans(pattern) for pattern in patterns_of(data)):
        return data
    folders = sorted(path.name for path in directory.glob("span-*") if path.is_dir())
    numbers = [found[1] for name in folders if (found := _NUMBER_FOLDER.fullmatch(name))]
    dates = [name for name in folders if _DATE_FOLDER.fullmatch(name)]
    if not numbers and not dates:
        return data
    if numbers and dates:
        raise UserInputError(
            f"{directory}: span-{numbers[0]} and {dates[0]}: name all by number or all by date"
        )
    folder = "span-{YYYY}-{MM}-{DD}" if dates else f"span-{_placeholder(numbers, directory)}"
    splits = {split: f"{folder}/{pattern}" for split, pattern in splits_of(data).items()}
    inside = find_splits(str(directory), splits, listing(str(directory), LOCAL)).splits.values()
    if beside := matching_files(directory, [one.removeprefix(f"{folder}/") for one in inside]):
        raise UserInputError(
            f"{beside[0]}: there are span folders beside it: move it into one, such as "
            f"{(dates or ['span-' + numbers[0]])[0]}"
        )
    return with_patterns(data, splits)


def with_patterns(
    data: SignalData | ImageData, splits: Mapping[str, str]
) -> SignalData | ImageData:
    """Returns `data` with other file patterns, by input split as from `splits_of`."""
    if isinstance(data, ImageData):
        return dataclasses.replace(data, train_pattern=splits["train"], eval_pattern=splits["eval"])
    return dataclasses.replace(data, pattern=splits["all"])


def _placeholder(numbers: list[str], directory: Path) -> str:
    if all(number == str(int(number)) for number in numbers):
        return "{SPAN}"
    widths = {len(number): number for number in numbers}
    if len(widths) > 1:
        short, long = widths[min(widths)], widths[max(widths)]
        raise UserInputError(
            f"{directory}: span-{short} and span-{long}: give all numbers as many digits, "
            "or none a leading zero"
        )
    return f"{{SPAN:{len(numbers[0])}}}"
