"""The files that a run reads, as they are handed on to its ExampleGen."""

import dataclasses
import json
from typing import Any

from pipeline_config import NEWEST_SPLIT, PREVIOUS_SPLIT


@dataclasses.dataclass(frozen=True)
class ReadSpan:
    """One span to read, or all files of a folder without spans.

    Attributes:
        number: TFX's span number; 0 if the data does not come in spans.
        name: What a person calls the span; empty if the data does not come in spans.
        version: The newest version; None if spans have none.
        files: Paths relative to the data folder by input split, sorted.
        companions: Paths of the files that are read with them, sorted; see
            `data.spans.companions`.
    """

    number: int
    name: str
    version: int | None
    files: dict[str, tuple[str, ...]]
    companions: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All files with their companions, sorted, each once."""
        return sorted({*self.companions, *(name for of in self.files.values() for name in of)})


@dataclasses.dataclass(frozen=True)
class ReadWindow:
    """The files that one execution of an ExampleGen reads: exactly these.

    Attributes:
        spans: Oldest first, at least one.
        previous: What the newest span is compared with; None if there is no earlier one or
            nothing is to be compared.
        fingerprint: Digest of all these files, of their contents or of their sizes and times.
    """

    spans: tuple[ReadSpan, ...]
    previous: ReadSpan | None
    fingerprint: str

    @property
    def newest(self) -> ReadSpan:
        """The newest span."""
        return self.spans[-1]

    @property
    def all_spans(self) -> list[ReadSpan]:
        """The spans and what the newest is compared with, oldest first, each once."""
        by_number = {span.number: span for span in self.spans}
        if self.previous is not None:
            by_number[self.previous.number] = self.previous
        return [by_number[number] for number in sorted(by_number)]

    @property
    def has_spans(self) -> bool:
        """Whether the data comes in spans."""
        return bool(self.newest.name)

    @property
    def drift_spans(self) -> dict[str, ReadSpan]:
        """The spans to compare by the name of their split; none if there is no earlier one."""
        if self.previous is None:
            return {}
        return {NEWEST_SPLIT: self.newest, PREVIOUS_SPLIT: self.previous}

    def to_json(self) -> str:
        """Returns the window as text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ReadWindow":
        """Reads `to_json` back."""
        values = json.loads(text)
        previous = values["previous"]
        return cls(
            tuple(map(_span_from_json, values["spans"])),
            _span_from_json(previous) if previous else None,
            values["fingerprint"],
        )


def _span_from_json(values: dict[str, Any]) -> ReadSpan:
    files = {split: tuple(names) for split, names in values.pop("files").items()}
    companions = tuple(values.pop("companions", ()))
    return ReadSpan(**values, files=files, companions=companions)
