"""The Trainer's settings, as typed values."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipeline_config import ABNORMAL_LABEL, NORMAL_LABEL, Loss, TrainerConfig, normal_labels


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainerSettings:
    """One training and the model it exports.

    Attributes:
        name: The pipeline's name, for people.
        model: Name of the model class.
        loss: Keras' name of the training loss, also the reconstruction error of one example.
        detector: Whether the served model decides with a threshold.
        feature: Name of the raw feature, also the served model's input.
        shape: Shape of one example.
        trainer: How to train.
        presumes_normal: Whether examples without a label are presumed normal; else they are left
            out of the training.
        validates_on_held_out: Whether the validation examples are held out of the training split,
            rather than those of the eval split.
    """

    name: str
    model: str
    loss: Loss
    detector: bool
    feature: str
    shape: tuple[int, ...]
    trainer: TrainerConfig
    presumes_normal: bool = True
    validates_on_held_out: bool = False

    @property
    def labels(self) -> tuple[int, ...] | None:
        """Labels of the examples to train on; None for all."""
        if self.trainer.normal_only:
            return normal_labels(presumes_normal=self.presumes_normal)
        return None if self.presumes_normal else (NORMAL_LABEL, ABNORMAL_LABEL)

    @property
    def validation_labels(self) -> tuple[int, ...] | None:
        """Labels of the examples to validate on; None for all."""
        if not self.validates_on_held_out:
            return None
        presumes_normal = self.presumes_normal
        return normal_labels(presumes_normal=presumes_normal) if self.detector else self.labels

    @classmethod
    def from_custom_config(cls, custom_config: Mapping[str, Any]) -> "TrainerSettings":
        """Returns the settings in TFX's `custom_config` of the Trainer.

        Args:
            custom_config: `{"config": {...}}` with this class's attributes as keys: `shape` as a
                list, `trainer` as `section_as_dict(config.trainer)`. Only what the Trainer uses
                is in there, so that no other setting makes TFX train again. Keys beside
                `config`, such as `fingerprint`, are ignored.

        Raises:
            pipeline_config.SettingError: A trainer setting is out of its range.
        """
        config = dict(custom_config["config"])
        shape = tuple(int(size) for size in config.pop("shape"))
        return cls(shape=shape, trainer=TrainerConfig(**config.pop("trainer")), **config)
