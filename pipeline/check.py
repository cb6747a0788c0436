"""`aepipe data check`: what a run would read, what is odd about it, and the settings that mend it.

The advice is that of the run's own refusals. It is followed here until the data is accepted, so
all that is wrong is found at once, and what is advised has been tried.
"""

import dataclasses
import math
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from components.data_gate.verdict import (
    few_normal,
    missing_classes,
    missing_examples,
    missing_labels,
    too_few_normal,
)
from components.schema import where_to_change
from components.schema.curated import schema_of
from data.advice import advised_settings
from data.choice import RunData
from data.formats.example_file import left_out
from data.survey import Survey
from pipeline.settings import apply_settings
from pipeline_config import (
    PipelineConfig,
    SignalData,
    UserInputError,
)

REFUSED = 2
"""Exit code of a run that cannot read its data."""

REFUSED_BY_GATE = 3
"""Exit code of a run whose gates refuse what it has read."""

_MOST_ROUNDS = 10


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something odd about the data.

    Attributes:
        sentence: What it is, and what to do.
        settings: Those that the sentence advises, as `--set` takes them.
        exit_code: How a run would end that meets it; 0 if it would go on.
    """

    sentence: str
    settings: tuple[str, ...]
    exit_code: int = 0


@dataclasses.dataclass(frozen=True)
class DataCheck:
    """What a run would read.

    Attributes:
        config: The pipeline, with the settings that mend the data.
        read: The files; None if they could not be chosen.
        survey: What they hold; None if they could not be chosen.
        findings: All that is odd, in the order in which a run would meet it.
        settings: Those that were advised and followed, so that the rest could be found.
        is_mended: Whether a run with these settings would accept the data.
    """

    config: PipelineConfig
    read: RunData | None
    survey: Survey | None
    findings: tuple[Finding, ...]
    settings: tuple[str, ...]
    is_mended: bool

    @property
    def is_accepted(self) -> bool:
        """Whether a run would accept the data as it is."""
        return self.is_mended and not any(finding.exit_code for finding in self.findings)

    @property
    def verdict(self) -> str:
        """What a run would do, in one line."""
        if self.is_accepted:
            return "a run would accept this data"
        code = next(finding.exit_code for finding in self.findings if finding.exit_code)
        refused = f"a run would refuse this data (exit code {code})"
        if self.is_mended:
            return f"{refused}, and accept it with {as_options(self.settings)}"
        return refused

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it as plain JSON values."""
        return {
            "pipeline": self.config.name,
            "accepted": self.is_accepted,
            "verdict": self.verdict,
            "settings": list(self.settings),
            "data": dataclasses.asdict(self.read.facts) if self.read else None,
            "found": self.survey.as_dict() if self.survey else None,
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
        }


def check_data(config: PipelineConfig, choose: Callable[[PipelineConfig], RunData]) -> DataCheck:
    """Reads the data of a pipeline as a run would, and follows the advice of its refusals.

    Args:
        config: The pipeline.
        choose: Returns which files a run of a pipeline would read.
    """
    return _Check(config, choose).run()


class _Check:
    def __init__(self, config: PipelineConfig, choose: Callable[[PipelineConfig], RunData]) -> None:
        self._config = config
        self._choose = choose
        self._findings: list[Finding] = []
        self._settings: dict[str, str] = {}

    def run(self) -> DataCheck:
        read = survey = None
        is_mended = False
        for _ in range(_MOST_ROUNDS):
            try:
                read = read or self._choose(self._config)
                # Its patterns are those that count in this folder.
                self._config = dataclasses.replace(self._config, data=read.config.data)
                survey = Survey(self._config.data)
                refusals = survey.read(read)
            except UserInputError as error:
                refusals = [str(error)]
            is_changed = [self._mend(refusal) for refusal in refusals]
            if any(is_changed):
                read = read and dataclasses.replace(read, config=self._config)
                continue
            foreseen = survey is not None and self._foresee(survey)
            is_mended = not refusals and not foreseen
            break
        if read is not None:
            self._note(read.notices)
        if survey is not None:
            self._note(oddities(survey, self._config))
        return DataCheck(
            self._config,
            read,
            survey,
            tuple(self._findings),
            tuple(f"{name}={value}" for name, value in self._settings.items()),
            is_mended,
        )

    def _mend(self, refusal: str) -> bool:
        """Notes a refusal, and returns whether its advice changes the settings."""
        settings = advised_settings(refusal)
        finding = Finding(refusal, settings, REFUSED)
        if finding not in self._findings:
            self._findings.append(finding)
        try:
            config = apply_settings(self._config, settings)
        except UserInputError:
            return False
        # Files that ask for different settings would send the check round and round.
        if config == self._config or any(
            setting.partition("=")[0] in self._settings for setting in settings
        ):
            return False
        self._config = config
        self._settings |= dict(setting.split("=", 1) for setting in settings)
        return True

    def _foresee(self, survey: Survey) -> bool:
        """Notes for what a gate would refuse the rows, and returns whether it would."""
        sentences = [sentence] if (sentence := self._out_of_range(survey)) else []
        if splits := survey.splits:
            sentences += missing_examples(
                {name: splits.get(name, 0) for name in self._config.data.splits}
            )
        is_split = set(survey.labels) == set(self._config.data.splits)
        if self._config.is_detector and not sentences and is_split:
            labels, presumes_normal = survey.labels_by_split, self._config.data.presumes_normal
            sentences += missing_classes(
                labels, survey.classes, survey.data.normal, presumes_normal=presumes_normal
            )
            sentences += too_few_normal(
                labels, self._config.promised_rate, presumes_normal=presumes_normal
            )
        self._findings += [
            Finding(each, advised_settings(each), REFUSED_BY_GATE) for each in sentences
        ]
        return bool(sentences)

    def _out_of_range(self, survey: Survey) -> str | None:
        """Returns a sentence if values are not in the range of the schema."""
        if survey.least is None or survey.greatest is None:
            return None
        for feature in schema_of(self._config).feature:
            domain = feature.float_domain
            # A schema without a range takes any value.
            if feature.name != self._config.data.feature or not domain.HasField("min"):
                continue
            lowest = domain.min if domain.HasField("min") else -math.inf
            highest = domain.max if domain.HasField("max") else math.inf
            least, greatest = survey.least.min(), survey.greatest.max()
            if least < lowest or greatest > highest:
                return (
                    f"values run from {least:g} to {greatest:g}, but the schema allows "
                    f"{lowest:g} to {highest:g}: if they are right, such as another unit, "
                    f"widen the range in {where_to_change(self._config)}, or else correct the data"
                )
        return None

    def _note(self, sentences: Sequence[str]) -> None:
        self._findings += [Finding(each, advised_settings(each)) for each in sentences]


def oddities(survey: Survey, config: PipelineConfig) -> list[str]:
    """Returns a sentence for each thing that a run accepts and a person may not have meant."""
    found = []
    rows = survey.rows
    if survey.constant:
        found.append(
            f"{survey.constant:,} of {rows:,} rows hold the same number in all samples: a sensor "
            "that was off? take them out if they are no signals"
        )
    if copies := survey.copies:
        found.append(f"{copies:,} of {rows:,} rows are copies of others")
    least, greatest = survey.least, survey.greatest
    if least is not None and greatest is not None and len(least) > 1:
        found += [
            f"channel {place} holds the same number in all rows"
            for place in np.flatnonzero(least == greatest).tolist()
        ]
    if isinstance(survey.data, SignalData):
        found += survey.series.notices()
        found += filter(None, (left_out(path, survey.data) for path in survey.files))
        if config.is_detector:
            labels = survey.labels_by_split
            found += few_normal(labels, survey.classes, survey.data.normal)
            found += missing_labels(labels)
    return found


def as_options(settings: Sequence[str]) -> str:
    """Returns settings as they are written on a command line."""
    return " ".join(f"--set {shlex.quote(setting)}" for setting in settings)
