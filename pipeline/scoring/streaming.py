"""Scoring in this process, a batch at a time.

Not a pipeline on Beam's in-process runner, although that would spare this path: the runner holds
all records between two stages in memory, so a large file would not fit.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from data.formats.rows import Rejected, Rows, batched
from pipeline.scoring.progress import progress_bar
from pipeline.scoring.request import PredictRequest, output_format
from pipeline.scoring.scoring import score
from pipeline.scoring.served_model import ServedModel
from pipeline.scoring.source import Advance, Source, read_source
from pipeline.scoring.summary import RunningSummary, Summary
from pipeline.scoring.table import as_table, table_schema
from pipeline.scoring.writers import RejectsFile, table_writer
from pipeline_config import UserInputError


def score_streaming(request: PredictRequest, model: ServedModel, source: Source) -> Summary:
    """Scores a file from its start to its end and writes what was asked for.

    Raises:
        UserInputError: The file is torn or damaged, or no row of it can be scored; nothing is
            written under the names that were asked for.
    """
    kind = output_format(request.output) if request.output else "csv"
    schema = table_schema(model, kind, reconstruction=request.reconstruction)
    summary = RunningSummary()
    with (
        progress_bar(source, wanted=request.show_progress) as advance,
        table_writer(_path(request.output), kind, schema) as write,
        RejectsFile(_path(request.rejects_path)) as rejects,
    ):

        def reject(rejected: Rejected) -> None:
            summary.reject(rejected)
            rejects.add(rejected)

        for batch in batched(_good_rows(source, model, advance, reject), request.batch_size):
            scored = score(model, batch)
            for rejected in scored.rejected:
                reject(rejected)
            summary.add(scored.outputs)
            if request.output:
                write(as_table(scored.rows, scored.outputs, schema))
        return require_examples(summary.finish(), source)


def require_examples(summary: Summary, source: Source) -> Summary:
    """Returns the summary.

    Raises:
        UserInputError: Nothing was scored.
    """
    if summary.examples:
        return summary
    if not summary.rejected:
        raise UserInputError(f"{source.path}: there are no rows in it")
    first = summary.first_rejects[0]
    raise UserInputError(
        f"{source.path}: not one of its {summary.rejected} rows can be scored; "
        f"row {first.row}: {first.reason}"
    )


def _good_rows(
    source: Source, model: ServedModel, advance: Advance, reject: Callable[[Rejected], None]
) -> Iterator[Rows]:
    for block in read_source(source, model.shape, advance):
        for rejected in block.rejected:
            reject(rejected)
        yield block.rows


def _path(name: str | None) -> Path | None:
    return Path(name) if name is not None else None
