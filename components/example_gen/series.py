"""Long series -> blocks of windows, and their split by time or by file."""

import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import apache_beam as beam

from components.example_gen.executor import write_notices
from data.formats.rows import Block
from data.series.findings import Findings
from data.series.series_file import read_series
from data.series.split import Share, require_windows, shares_of, survey
from pipeline_config import SignalData

_FINDINGS = "findings"


@beam.ptransform_fn
def read_windows(
    paths: beam.PCollection[str], data: SignalData, notices: str = ""
) -> beam.PCollection[Block]:
    """Cuts files into windows, whose rows are numbered by their first sample, from 1.

    Args:
        paths: The files.
        data: How they are read.
        notices: File to write what a person should know of them to, a line each; empty for none.
    """
    outputs = paths | "CutWindows" >> beam.FlatMap(_read_file, data).with_outputs(
        _FINDINGS, main="windows"
    )
    if notices:
        _ = (
            outputs[_FINDINGS]
            | "AllFindings" >> beam.CombineGlobally(_together)
            | "Notices" >> beam.Map(Findings.notices)
            | "WriteNotices" >> beam.Map(write_notices, notices)
        )
    return outputs["windows"]


def split_series(
    blocks: beam.PCollection[Block], paths: Sequence[str], data: SignalData, base: str
) -> dict[str, beam.PCollection[Block]]:
    """Returns the part of each of `data.splits` of blocks of windows.

    The samples of each file are counted first, which reads a text file once more.

    Args:
        blocks: From `read_windows`.
        paths: The files.
        data: How they are read and split.
        base: Folder that the files' names count from.
    """
    shares = (
        blocks.pipeline
        | "FilesToCount" >> beam.Create(paths)
        | "SpreadFilesToCount" >> beam.Reshuffle()
        | "CountSamples" >> beam.Map(survey, data)
        | "AllFiles" >> beam.combiners.ToList()
        | "Shares" >> beam.Map(shares_of, data, base)
    )
    main, *others = data.splits
    parts = blocks | "SplitWindows" >> beam.FlatMap(
        _split_block, beam.pvalue.AsSingleton(shares), data
    ).with_outputs(*others, main=main)
    splits = {name: parts[name] for name in data.splits}
    for name, part in splits.items():
        _ = (
            part
            | f"Windows[{name}]" >> beam.Map(lambda block: len(block.rows))
            | f"Count[{name}]" >> beam.CombineGlobally(sum)
            | f"Require[{name}]" >> beam.Map(require_windows, name, data, base)
        )
    return splits


def _read_file(
    path: str, data: SignalData
) -> Iterator[Block | beam.pvalue.TaggedOutput[Literal["findings"], Findings]]:
    findings = Findings()
    for block in read_series(path, data, findings=findings):
        if len(block.windows):
            yield Block(path, block.windows)
    yield beam.pvalue.TaggedOutput(_FINDINGS, findings)


def _together(parts: Iterable[Findings]) -> Findings:
    return functools.reduce(operator.add, parts, Findings())


def _split_block(
    block: Block, shares: dict[str, Share], data: SignalData
) -> Iterator[
    Block
    | beam.pvalue.TaggedOutput[Literal["calibration"], Block]
    | beam.pvalue.TaggedOutput[Literal["eval"], Block]
]:
    share, starts = shares[block.path], block.rows.numbers - 1
    for split in data.splits:
        chosen = share.mask(split, starts, data.length)
        if chosen.any():
            part = Block(block.path, block.rows[chosen])
            is_main = split == data.splits[0]
            yield part if is_main else beam.pvalue.TaggedOutput(split, part)
