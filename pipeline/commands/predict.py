"""`aepipe predict`: a served model scores a file."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.beam_profiles import PROFILES
from pipeline.commands.options import beam_args_option, home_option, json_option
from pipeline.commands.supervised import SupervisedCommand
from serving.tensorflow_greeting import import_tensorflow

if TYPE_CHECKING:
    from pipeline.scoring.predict import Prediction

EXIT_REJECTS = 3


@click.command(cls=SupervisedCommand)
@click.argument("model")
@click.argument("file", metavar="FILE")
@click.option(
    "-o",
    "--out",
    metavar="PATH",
    help="File for the scores, .csv or .parquet; with --beam-profile a folder of such files.",
)
@click.option(
    "--rejects",
    metavar="PATH",
    help="CSV for rows that cannot be scored; default OUT.rejects.csv beside the output.",
)
@click.option(
    "--drop-column",
    "drop_columns",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="N",
    help="Leave a column out, such as an index, counted from 0; repeatable.",
)
@click.option(
    "--events",
    metavar="PATH",
    help="File for a series' intervals above the threshold, .csv or .parquet.",
)
@click.option(
    "--step",
    type=click.IntRange(min=1),
    metavar="N",
    help="Samples from one window of a series to the next; default as in the run.",
)
@click.option("--reconstruction", is_flag=True, help="Write what the model makes of each row too.")
@click.option(
    "--contribution",
    is_flag=True,
    help="Write each value's share of the error too; it shows which part of a row is odd.",
)
@click.option("--strict", is_flag=True, help="Exit code 3 if a row cannot be scored.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 1_000_000),
    default=512,
    show_default=True,
    help="Examples a call of the model.",
)
@click.option(
    "--model-version",
    metavar="V",
    help="Number or label of a version; default the one that a server would serve.",
)
@click.option(
    "--models-dir", type=click.Path(path_type=Path), help="Push directory; default HOME/serving."
)
@click.option(
    "--beam-profile",
    type=click.Choice(list(PROFILES)),
    help="Score as a Beam pipeline, and where; default in this process, without Beam.",
)
@beam_args_option
@home_option
@json_option
def predict(
    model: str,
    file: str,
    out: str | None,
    rejects: str | None,
    drop_columns: tuple[int, ...],
    events: str | None,
    step: int | None,
    reconstruction: bool,
    contribution: bool,
    strict: bool,
    batch_size: int,
    model_version: str | None,
    models_dir: Path | None,
    beam_profile: str | None,
    beam_args: tuple[str, ...],
    home: Path,
    as_json: bool,
) -> None:
    """Score FILE, of any size, with the served version of MODEL.

    MODEL is a name in the push directory or that of a pipeline. FILE is CSV, .npy, .npz, Parquet,
    the header (.hea) of a WFDB record, or IDX, and is read as the run's own files were; text may be
    gzip-compressed; - is CSV on standard input. Rows that cannot be scored are named and do not
    stop the others. A model of series scores each sample of one: the mean error of the windows
    that cover it.
    """
    from pipeline.home import Home
    from pipeline.scoring.request import PredictRequest

    request = PredictRequest(
        model=model,
        file=file,
        models_dir=(models_dir or home / "serving").absolute(),
        kept_folders=Home(home.absolute()).folders,
        version=model_version,
        output=out,
        rejects=rejects,
        drop_columns=drop_columns,
        events=events,
        step=step,
        reconstruction=reconstruction,
        contribution=contribution,
        batch_size=batch_size,
        beam_profile=beam_profile,
        beam_args=beam_args,
        show_progress=not as_json,
    )
    import_tensorflow()
    from pipeline.scoring.predict import predict as score

    prediction = score(request)
    if as_json:
        click.echo(json.dumps(prediction.as_dict()))
    else:
        _print(prediction)
    if strict and prediction.summary.rejected:
        sys.exit(EXIT_REJECTS)


def _print(prediction: "Prediction") -> None:
    from rich.text import Text

    from pipeline.terminal import plain_console, print_fields

    found, console = prediction.as_dict(), plain_console()
    console.print(Text.assemble((found["model"], "bold"), f"  version {found['version']}"))
    summary, request = prediction.summary, prediction.request
    is_series = "points" in found
    rows = [("examples", f"{summary.examples:,}")]
    if is_series:
        rows = [("points", f"{found['points']:,}"), ("scored", f"{summary.examples:,}")]
        rows.append(("windows", f"{found['windows']:,}"))
    if prediction.model.is_detector:
        rows.append(("anomalies", f"{summary.anomalies:,} ({found['anomaly_share']:.2%})"))
    if is_series and prediction.model.is_detector:
        rows.append(("events", f"{found['events']:,} above {found['threshold']:.6g}"))
    measure = "score" if is_series else "error"
    rows += [(f"{measure} {name}", f"{value:.6g}") for name, value in summary.quantiles.items()]
    for name in ("gaps", "interpolated"):
        if found.get(name):
            rows.append((name, f"{found[name]:,}"))
    if summary.rejected:
        rows.append(("rejected rows", f"{summary.rejected:,}"))
        rows += [("", f"row {reject.row}: {reject.reason}") for reject in summary.first_rejects]
        rows.append(("rejects file", request.rejects_path or "none: --rejects FILE keeps them"))
    rows.append(("scores", request.output or "none: -o FILE writes them row by row"))
    if is_series and prediction.model.is_detector:
        rows.append(("events file", request.events or "none: --events FILE writes them"))
    speed, noun = found["examples_per_second"], "points" if is_series else "examples"
    rows.append(("time", f"{prediction.seconds:.1f} s, {speed:,.0f} {noun}/s"))
    print_fields(console, rows)
