"""What a person sees of a prediction."""

from rich.console import Console
from rich.text import Text

from pipeline.scoring.predict import Prediction
from pipeline.terminal import print_fields


def print_prediction(console: Console, prediction: Prediction) -> None:
    """Prints what was found, and where it was written."""
    found = prediction.as_dict()
    console.print(Text.assemble((found["model"], "bold"), f"  version {found['version']}"))
    print_fields(console, _rows(prediction))


def _rows(prediction: Prediction) -> list[tuple[str, str | Text]]:
    summary, request = prediction.summary, prediction.request
    found = prediction.as_dict()
    rows: list[tuple[str, str | Text]] = [("examples", f"{summary.examples:,}")]
    if prediction.is_detector:
        rows.append(("anomalies", f"{summary.anomalies:,} ({found['anomaly_share']:.2%})"))
    rows += [(f"error {name}", f"{value:.6g}") for name, value in summary.quantiles.items()]
    if summary.rejected:
        rows.append(("rejected rows", f"{summary.rejected:,}"))
        rows += [("", f"row {reject.row}: {reject.reason}") for reject in summary.first_rejects]
        rows.append(("rejects file", request.rejects_path or "none: --rejects FILE keeps them"))
    rows.append(("scores", request.output or "none: -o FILE writes them row by row"))
    speed = found["examples_per_second"]
    rows.append(("time", f"{prediction.seconds:.1f} s, {speed:,.0f} examples/s"))
    return rows
