"""What mends an anomaly: the data, a setting, or a line of the curated schema."""

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from pipeline_config import LABEL_FEATURE, SignalData

_Kind = anomalies_pb2.AnomalyInfo

_OUT_OF_RANGE = {
    _Kind.FLOAT_TYPE_BIG_FLOAT,
    _Kind.FLOAT_TYPE_SMALL_FLOAT,
    _Kind.INT_TYPE_BIG_INT,
    _Kind.INT_TYPE_SMALL_INT,
    _Kind.ENUM_TYPE_UNEXPECTED_STRING_VALUES,
}
_NOT_FINITE = {_Kind.FLOAT_TYPE_HAS_NAN, _Kind.FLOAT_TYPE_HAS_INF}
_MISSING = {
    _Kind.SCHEMA_MISSING_COLUMN,
    _Kind.FEATURE_TYPE_NOT_PRESENT,
    _Kind.FEATURE_TYPE_LOW_FRACTION_PRESENT,
    _Kind.FEATURE_TYPE_LOW_NUMBER_PRESENT,
    _Kind.FEATURE_TYPE_NO_VALUES,
}
_SHAPE = {
    _Kind.INVALID_FEATURE_SHAPE,
    _Kind.FEATURE_TYPE_LOW_NUMBER_VALUES,
    _Kind.FEATURE_TYPE_HIGH_NUMBER_VALUES,
}


def remedy(info: anomalies_pb2.AnomalyInfo, feature: schema_pb2.Feature, schema_file: str) -> str:
    """Returns what to do about an anomaly, as the end of a sentence.

    Args:
        info: What ExampleValidator found.
        feature: The curated schema's entry; an empty one for a feature that the schema lacks.
        schema_file: The curated schema's file, as a person finds it in the project.
    """
    kinds = {reason.type for reason in info.reason}
    entry = f"feature '{feature.name}' in {schema_file}"
    if kinds & _NOT_FINITE:
        return "take those examples out of the data, or fill the values in"
    if kinds & _OUT_OF_RANGE and feature.name == LABEL_FEATURE:
        return (
            f"labels run {_range(feature)}: correct them, or widen int_domain of {entry} if the "
            "model is to see other classes"
        )
    if kinds & _OUT_OF_RANGE:
        domain = "float_domain" if feature.HasField("float_domain") else "int_domain"
        return (
            f"values run {_range(feature)}: if these are right, such as another unit, widen min "
            f"and max of {domain} of {entry}, or else correct the data"
        )
    if kinds & _SHAPE and feature.name == SignalData.feature:
        return "give rows of as many samples as data.length says"
    if kinds & (_SHAPE | _MISSING):
        return f"complete the data, or change presence or shape of {entry}"
    if _Kind.SCHEMA_NEW_COLUMN in kinds:
        return f"take it out of the data, or add it to {schema_file}"
    return f"correct the data, or change {entry} if the data is right"


def _range(feature: schema_pb2.Feature) -> str:
    domain = feature.float_domain if feature.HasField("float_domain") else feature.int_domain
    return f"from {domain.min:g} to {domain.max:g}"
