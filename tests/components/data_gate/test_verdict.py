import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.data_gate.verdict import (
    blocking_anomalies,
    class_counts,
    few_normal,
    label_counts,
    missing_classes,
    missing_examples,
    missing_labels,
)
from components.schema.curated import curated_schema
from tests.components.data_gate.statistics import statistics

LENGTH = 4
SCHEMA_FILE = "components/schema/signal.pbtxt"
GOOD = [([0.1, -0.2, 1.0, 2.0], 1), ([0.0, 0.5, -1.0, 2.5], 0)] * 10


def _reasons(rows: list[tuple[list[float], int]], length: int = LENGTH) -> list[str]:
    schema = curated_schema("signal.pbtxt", feature="signal", shape=(length,))
    found = statistics(rows, schema)
    dataset = found.datasets[0]
    return [
        *missing_examples({"train": dataset.num_examples, "eval": 4}),
        *blocking_anomalies("train", tfdv.validate_statistics(found, schema), schema, SCHEMA_FILE),
        *missing_classes({"train": label_counts(dataset)}),
    ]


def test_good_data_has_nothing_that_blocks() -> None:
    assert _reasons(GOOD) == []


@pytest.mark.parametrize(
    ("row", "feature", "fault", "remedy"),
    [
        (
            ([1.0, 2.0, 3.0, 1e6], 1),
            "signal",
            "1e+06",
            "values run from -100 to 100: if these are right, such as another unit, widen min and "
            f"max of float_domain of feature 'signal' in {SCHEMA_FILE}",
        ),
        (([1.0, 2.0, 3.0, float("nan")], 1), "signal", "NaN", "take those examples out"),
        (([1.0, 2.0, 3.0, float("inf")], 1), "signal", "Inf", "take those examples out"),
        (
            ([1.0, 2.0, 3.0, 4.0], 7),
            "label",
            "7",
            "labels run from -1 to 1: correct them, or widen int_domain of feature 'label' in "
            f"{SCHEMA_FILE}",
        ),
        (
            ([1.0, 2.0, 3.0], 1),
            "signal",
            "shape",
            "give rows of as many samples as data.length",
        ),
    ],
)
def test_an_anomaly_names_split_feature_fault_and_remedy(
    row: tuple[list[float], int], feature: str, fault: str, remedy: str
) -> None:
    reasons = _reasons([*GOOD, row])
    assert len(reasons) == 1
    assert reasons[0].startswith(f"split 'train', feature '{feature}': ")
    assert fault.lower() in reasons[0].lower()
    assert f": {remedy}" in reasons[0]
    assert "\n" not in reasons[0]


@pytest.mark.parametrize(("label", "absent"), [(1, "no abnormal (0)"), (0, "no normal (1)")])
def test_a_split_with_one_class_is_blocked(label: int, absent: str) -> None:
    reasons = _reasons([row for row in GOOD if row[1] == label])
    assert reasons == [
        f"split 'train', feature 'label': {absent} example among its 10: "
        "give more rows of that class"
    ]


def test_an_empty_split_is_blocked() -> None:
    assert (
        "split 'train' has no examples: there are 4 in all, too few for a share in each split: "
        "give more rows"
    ) in _reasons([])


def test_the_length_comes_from_the_config() -> None:
    assert _reasons(GOOD, length=5) != []


def counted(**of_label: int) -> statistics_pb2.DatasetFeatureStatistics:
    statistics = statistics_pb2.DatasetFeatureStatistics()
    feature = statistics.features.add()
    feature.path.step.append("label")
    for label, count in of_label.items():
        feature.string_stats.rank_histogram.buckets.add(label=label[1:], sample_count=count)
    return statistics


def test_examples_are_counted_by_class() -> None:
    assert label_counts(counted(_1=2919, _0=2079)) == {"normal": 2919, "abnormal": 2079}
    assert label_counts(counted(_0=3)) == {"normal": 0, "abnormal": 3}
    assert label_counts(counted(_1=3)) == {"normal": 3, "abnormal": 0}
    some = {"normal": 3, "abnormal": 2, "unlabelled": 4}
    assert label_counts(counted(**{"_1": 3, "_0": 2, "_-1": 4})) == some


def test_examples_are_counted_by_a_schema_whose_label_is_a_number() -> None:
    schema = curated_schema("signal.pbtxt", feature="signal", shape=(LENGTH,))
    next(f for f in schema.feature if f.name == "label").int_domain.is_categorical = False
    rows = [*GOOD, *(([0.0, 1.0, 2.0, 3.0], -1) for _ in range(3))]
    counts = label_counts(statistics(rows, schema).datasets[0])
    assert counts == {"normal": 10, "abnormal": 10, "unlabelled": 3}


@pytest.mark.parametrize(
    ("train", "presumes_normal", "advice"),
    [
        ({"normal": 0, "abnormal": 0, "unlabelled": 9}, True, None),
        ({"normal": 0, "abnormal": 4, "unlabelled": 9}, True, None),
        ({"normal": 3, "abnormal": 0, "unlabelled": 9}, False, None),
        ({"normal": 0, "abnormal": 4, "unlabelled": 9}, False, "--set data.unlabelled=train"),
        ({"normal": 0, "abnormal": 4}, True, "--set data.normal=NAME"),
    ],
)
def test_training_needs_rows_that_are_normal_or_presumed_so(
    train: dict[str, int], presumes_normal: bool, advice: str | None
) -> None:
    splits = {"train": train, "eval": {"normal": 0, "abnormal": 0, "unlabelled": 5}}
    reasons = missing_classes(splits, presumes_normal=presumes_normal)
    if advice is None:
        assert reasons == []
        return
    (reason,) = reasons
    assert reason.startswith("split 'train', feature 'label': no normal (1) example among its ")
    assert advice in reason


@pytest.mark.parametrize(
    ("of_eval", "sentence"),
    [
        ({"normal": 0, "abnormal": 0, "unlabelled": 9}, None),
        ({"normal": 2, "abnormal": 2, "unlabelled": 9}, None),
        ({"normal": 5, "abnormal": 0}, None),
        ({"normal": 0, "abnormal": 4, "unlabelled": 9}, "all 4 labelled examples of the split 'e"),
        ({"normal": 1200, "abnormal": 0, "unlabelled": 9}, "all 1,200 labelled examples of the sp"),
    ],
)
def test_labels_of_one_class_to_evaluate_by_are_reported(
    of_eval: dict[str, int], sentence: str | None
) -> None:
    found = missing_labels(
        {"train": {"normal": 5, "abnormal": 5, "unlabelled": 1}, "eval": of_eval}
    )
    assert [one[: len(sentence or "")] for one in found] == ([sentence] if sentence else [])


def test_a_minority_of_normal_examples_is_reported_with_what_normal_means() -> None:
    splits = {"train": {"normal": 80, "abnormal": 200}, "eval": {"normal": 40, "abnormal": 30}}
    for classes in ({}, {"0": 230, "1": 120}):
        (sentence,) = few_normal(splits, classes, ("1",))
        assert sentence.startswith("only 120 of 350 labelled rows are normal (class 1), 0 (230 row")
        assert sentence.endswith("if class 0 is the normal one: --set data.normal=0")
    splits["eval"]["normal"] += 110
    assert few_normal(splits, {"0": 230, "1": 230}, ("1",)) == []
    assert few_normal({}, {}, ("1",)) == []


def test_classes_by_name_are_counted_and_named_if_few_are_normal() -> None:
    schema = curated_schema("signal.pbtxt", feature="signal", shape=(LENGTH,))
    rows = [([0.1, 0.2, 0.3, 0.4], label) for label in [1] * 2 + [0] * 5 + [-1] * 9]
    dataset = statistics(rows, schema, {1: "N", 0: "V", -1: ""}).datasets[0]
    classes = class_counts(dataset)
    assert classes == {"V": 5, "N": 2}
    # In WFDB annotations the default, "1", means N and others.
    (sentence,) = few_normal({"train": label_counts(dataset)}, classes, ("1",))
    assert sentence.startswith("only 2 of 7 labelled rows are normal (class N, L, R, e, j), V (5 r")
    assert sentence.endswith("--set data.normal=V")


@pytest.mark.parametrize(
    ("calibration", "presumes_normal", "expected"),
    [
        ({"normal": 3, "abnormal": 0}, True, ""),
        ({"normal": 0, "abnormal": 2, "unlabelled": 4}, True, ""),
        ({"normal": 0, "abnormal": 2, "unlabelled": 4}, False, "data.unlabelled=train presumes"),
        ({"normal": 0, "abnormal": 2}, True, "example among its 2 to hold out: give normal rows"),
    ],
)
def test_what_is_held_out_needs_normal_examples_and_no_others(
    calibration: dict[str, int], presumes_normal: bool, expected: str
) -> None:
    both = {"normal": 5, "abnormal": 5}
    labels = {"train": both, "calibration": calibration, "eval": both}

    sentences = missing_classes(labels, presumes_normal=presumes_normal)

    assert len(sentences) == bool(expected)
    assert all("split 'calibration'" in sentence and expected in sentence for sentence in sentences)


def test_classes_of_which_none_is_normal_are_named() -> None:
    labels = {"train": {"normal": 0, "abnormal": 5}, "eval": {"normal": 0, "abnormal": 2}}
    (reason,) = missing_classes(labels, {"bag": 4, "shoe": 3}, ["boot"])
    assert reason == (
        "no row is of a normal class (data.normal=boot); the classes are bag (4 rows), shoe "
        "(3 rows): --set data.normal=bag"
    )
