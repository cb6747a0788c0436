"""The tutorial's own split of the rows into training and eval, over blocks of rows."""

import functools
from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from components.ecg_example_gen.row_blocks import RowBlock


@functools.cache
def eval_mask(rows: int) -> npt.NDArray[np.bool_]:
    """Returns bool [rows]: which rows the tutorial keeps for eval.

    Source: `train_test_split(data, labels, test_size=0.2, random_state=21)` in
    https://www.tensorflow.org/tutorials/generative/autoencoder.
    """
    mask = np.zeros(rows, dtype=bool)
    # scikit-learn refuses to split a single row; "only one class" is what the user has to hear.
    if rows > 1:
        _, chosen = train_test_split(np.arange(rows), test_size=0.2, random_state=21)
        mask[chosen] = True
    return mask


class _SplitBlock(beam.DoFn):
    """Cuts a block into its training part (the main output) and its eval part."""

    EVAL = "eval"

    def process(self, block: RowBlock, rows_by_file: Mapping[str, int]) -> Iterable[RowBlock]:
        before = sum(rows for path, rows in rows_by_file.items() if path < block.path)
        start = before + block.first_row
        mask = eval_mask(sum(rows_by_file.values()))[start : start + len(block.labels)]
        yield _take(block, ~mask)
        yield beam.pvalue.TaggedOutput(self.EVAL, _take(block, mask))


def _take(block: RowBlock, mask: npt.NDArray[np.bool_]) -> RowBlock:
    return RowBlock(block.path, block.first_row, block.signals[mask], block.labels[mask])


def _count_rows(block: RowBlock) -> Iterator[tuple[str, int]]:
    yield block.path, len(block.labels)


class TutorialSplit(beam.PTransform):
    """Splits blocks of rows as the tutorial splits its one file, files following by name."""

    def expand(
        self, blocks: beam.pvalue.PCollection[RowBlock]
    ) -> tuple[beam.pvalue.PCollection[RowBlock], beam.pvalue.PCollection[RowBlock]]:
        """Returns the training part and the eval part."""
        rows_by_file = (
            blocks
            | "RowsOfBlock" >> beam.FlatMap(_count_rows)
            | "RowsByFile" >> beam.CombinePerKey(sum)
        )
        parts = blocks | "SplitBlock" >> beam.ParDo(
            _SplitBlock(), beam.pvalue.AsDict(rows_by_file)
        ).with_outputs(_SplitBlock.EVAL, main="train")
        return parts["train"], parts[_SplitBlock.EVAL]
