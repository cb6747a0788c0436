"""Statistics of signals, as StatisticsGen makes them in the pipeline, without Beam."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from components.data_gate.drift import HISTOGRAM_BUCKETS


def statistics(
    rows: Iterable[tuple[Sequence[float], int]],
    schema: schema_pb2.Schema,
    names: Mapping[int, str] = MappingProxyType({}),
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Returns the statistics of a split that holds a signal and a label a row.

    A class is called by its label unless it has a name.
    """
    records = []
    for signal, label in rows:
        example = tf.train.Example()
        example.features.feature["signal"].float_list.value[:] = signal
        example.features.feature["label"].int64_list.value[:] = [label]
        example.features.feature["example_id"].bytes_list.value[:] = [b"%d" % len(records)]
        example.features.feature["class"].bytes_list.value[:] = [
            names.get(label, str(label)).encode()
        ]
        records.append(example.SerializeToString())
    decoder = ExamplesToRecordBatchDecoder(schema.SerializeToString())
    options = tfdv.StatsOptions(schema=schema, num_histogram_buckets=HISTOGRAM_BUCKETS)
    return generate_statistics_in_memory(decoder.DecodeBatch(records), options)
