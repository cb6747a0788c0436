"""Writes tf.Examples as TFX's ExampleGens do, without their shuffle."""

import apache_beam as beam
import tensorflow as tf
from tfx.components.example_gen.write_split import DEFAULT_TF_RECORD_FILE_NAME, MaybeSerialize


class WriteExamples(beam.PTransform):
    """tf.Examples -> gzipped TFRecords, one file a bundle.

    TFX's `WriteSplit` sends every example through a shuffle first, which a runner in memory holds
    as a whole. Nothing here needs the order to be random: the Trainer has its own. Workers share
    the work by input file.

    Args:
        directory: Of one split.
    """

    def __init__(self, directory: str) -> None:
        super().__init__()
        self._prefix = f"{directory}/{DEFAULT_TF_RECORD_FILE_NAME}"

    def expand(self, examples: beam.PCollection[tf.train.Example]) -> beam.PCollection[str]:
        """Returns the paths of what was written."""
        return (
            examples
            | "Serialize" >> beam.ParDo(MaybeSerialize())
            | "Write" >> beam.io.WriteToTFRecord(self._prefix, file_name_suffix=".gz")
        )
