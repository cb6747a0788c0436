"""The tutorial's own split of the rows into training and eval, over blocks of rows."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import apache_beam as beam

from data.formats.rows import Block
from data.splits import tutorial_eval_mask

_BlockKey = tuple[str, int]
"""A block's file and the number of its first row there."""


def tutorial_split(blocks: beam.PCollection[Block]) -> dict[str, beam.PCollection[Block]]:
    """Returns the `train` and `eval` parts of blocks of rows, files following by name."""
    places = (
        blocks
        | "RowsOfBlock" >> beam.Map(lambda block: (_key(block), len(block.rows)))
        | "AllBlocks" >> beam.combiners.ToList()
        | "Places" >> beam.Map(_places)
    )
    parts = blocks | "SplitBlock" >> beam.FlatMap(
        _split_block, beam.pvalue.AsSingleton(places)
    ).with_outputs("eval", main="train")
    return {"train": parts["train"], "eval": parts["eval"]}


class _Places(NamedTuple):
    """Index of each block's first row among all rows, from 0, and how many rows there are."""

    first: dict[_BlockKey, int]
    rows: int


def _key(block: Block) -> _BlockKey:
    return block.path, int(block.rows.numbers[0])


def _places(blocks: Sequence[tuple[_BlockKey, int]]) -> _Places:
    first, rows = {}, 0
    for key, count in sorted(blocks):
        first[key] = rows
        rows += count
    return _Places(first, rows)


def _split_block(
    block: Block, places: _Places
) -> Iterator[Block | beam.pvalue.TaggedOutput[Literal["eval"], Block]]:
    start = places.first[_key(block)]
    mask = tutorial_eval_mask(places.rows)[start : start + len(block.rows)]
    yield Block(block.path, block.rows[~mask])
    yield beam.pvalue.TaggedOutput("eval", Block(block.path, block.rows[mask]))
