"""One call of TFX's Trainer as a file, so that other processes can take part in it."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_config import UserInputError
from trainer.settings import TrainerSettings

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs


@dataclasses.dataclass(frozen=True)
class TrainingTask:
    """What is trained on what, and where the result goes; names as in TFX's `FnArgs`.

    Attributes:
        custom_config: See `TrainerSettings.from_custom_config`.
        transform_graph_path: What Transform wrote.
        train_files: File patterns of the training split.
        eval_files: File patterns of the eval split.
        base_model: A SavedModel to start from, or None.
        model_run_dir: TensorBoard's logs and the history go there.
        serving_model_dir: The SavedModel goes there.
    """

    custom_config: Mapping[str, Any]
    transform_graph_path: str
    train_files: list[str]
    eval_files: list[str]
    base_model: str | None
    model_run_dir: str
    serving_model_dir: str

    @classmethod
    def from_fn_args(cls, fn_args: "FnArgs") -> "TrainingTask":
        """Takes over what TFX gives to `run_fn`."""
        return cls(
            **{field.name: getattr(fn_args, field.name) for field in dataclasses.fields(cls)}
        )

    @classmethod
    def from_file(cls, path: Path) -> "TrainingTask":
        """Reads what `write` wrote.

        Raises:
            pipeline_config.UserInputError: There is no such file, or it is something else.
        """
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UserInputError(f"{path}: not a training's file ({error})") from error

    def write(self, path: Path) -> None:
        """Writes the task by a rename, so that who waits for the file never reads a part of it.

        Raises:
            pipeline_config.UserInputError: The file cannot be written.
        """
        partial = path.with_name(f"{path.name}.partial")
        try:
            partial.write_text(json.dumps(dataclasses.asdict(self)), "utf-8")
            partial.replace(path)
        except OSError as error:
            raise UserInputError(f"{path}: cannot be written ({error.strerror})") from error

    @property
    def settings(self) -> TrainerSettings:
        """The typed settings.

        Raises:
            pipeline_config.SettingError: One is out of its range.
        """
        return TrainerSettings.from_custom_config(self.custom_config)

    @property
    def digest(self) -> int:
        """An int64 that all who train together must agree on."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)
