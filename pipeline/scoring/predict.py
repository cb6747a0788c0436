"""`aepipe predict`: from a model's name and a file to scores and what they come to."""

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from pipeline.beam_profiles import beam_arguments
from pipeline.environment import full_temporary_folder
from pipeline.run.failures import full_disk, user_mistake
from pipeline.scoring.paths import is_remote
from pipeline.scoring.rejects import require_rejects
from pipeline.scoring.request import PredictRequest
from pipeline.scoring.served_model import ServedModel
from pipeline.scoring.served_version import find_version
from pipeline.scoring.source import find_source
from pipeline.scoring.streaming import score_streaming
from pipeline.scoring.summary import RANK_ERROR, Summary
from pipeline_config import UserInputError


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a prediction came to.

    Attributes:
        request: What was asked for.
        model_directory: The version that scored.
        is_detector: Whether it decides with a threshold.
        summary: What was found.
        seconds: From the first byte read to the last row written.
    """

    request: PredictRequest
    model_directory: Path
    is_detector: bool
    summary: Summary
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        summary, examples = self.summary, self.summary.examples
        found: dict[str, Any] = {"examples": examples}
        if self.is_detector:
            found["anomalies"] = summary.anomalies
            found["anomaly_share"] = summary.anomalies / examples
        return {
            "model": self.model_directory.parent.name,
            "version": int(self.model_directory.name),
            "file": self.request.file,
            **found,
            "error_quantiles": summary.quantiles,
            "quantile_rank_error": RANK_ERROR,
            "rejected": summary.rejected,
            "first_rejects": [
                {"row": rejected.row, "reason": rejected.reason}
                for rejected in summary.first_rejects
            ],
            "output": self.request.output,
            "rejects": self.request.rejects_path if summary.rejected else None,
            "seconds": round(self.seconds, 3),
            "examples_per_second": round(examples / self.seconds, 1),
        }


def predict(request: PredictRequest) -> Prediction:
    """Scores a file with the version that a server would serve.

    Raises:
        UserInputError: There is no such model, version or file; the file is torn, or no row of it
            can be scored; an output cannot be written. Outputs are as they were before.
    """
    directory = find_version(request.models_dir, request.model, request.version)
    source = find_source(request.file, request.drop_columns)
    _require_writable(request.output, request.on_beam, folder_allowed=request.on_beam)
    _require_writable(request.rejects_path, request.on_beam, folder_allowed=False)
    require_rejects(request.rejects_path)
    model = ServedModel(str(directory))
    start = time.monotonic()
    try:
        if request.on_beam:
            from pipeline.scoring.distributed import score_distributed

            beam_args = beam_arguments(request.beam_profile or "local", request.beam_args)
            summary = score_distributed(request, str(directory), model, source, beam_args)
        else:
            summary = score_streaming(request, model, source)
    except Exception as error:
        if mistake := user_mistake(error):
            raise UserInputError(mistake) from error
        if full := full_temporary_folder(error):
            raise UserInputError(full) from error
        if disk := full_disk(error):
            target = request.output or request.rejects_path
            raise UserInputError(f"{target}: cannot be written: {disk.strerror}") from error
        raise
    seconds = time.monotonic() - start
    return Prediction(request, directory, model.is_detector, summary, seconds)


def _require_writable(path: str | None, on_beam: bool, *, folder_allowed: bool) -> None:
    if path is None or (on_beam and is_remote(path)):
        return
    if is_remote(path):
        raise UserInputError(f"{path}: Beam writes there, so add a --beam-profile")
    target = Path(path).resolve()
    if target.is_dir() and not folder_allowed:
        raise UserInputError(f"{path}: this is a folder: name a file")
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise UserInputError(f"{path}: a device or pipe is not written to: name a file")
    parent = target.parent
    if not parent.is_dir():
        raise UserInputError(f"{path}: there is no folder {parent}: make it, or name another file")
    if not os.access(parent, os.W_OK):
        raise UserInputError(f"{path}: the folder {parent} cannot be written to: name another file")
