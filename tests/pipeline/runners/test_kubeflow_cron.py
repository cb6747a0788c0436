import pytest

from pipeline.runners.kubeflow_cron import kubeflow_cron
from pipeline_config import UserInputError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("30 2 * * *", "0 30 2 * * *"),
        ("  */15  8-18 * *  MON-FRI ", "0 */15 8-18 * * MON-FRI"),
        ("0 0 1,15 jan-jun ?", "0 0 0 1,15 jan-jun ?"),
        ("10 0 9 ? * 2-6", "10 0 9 ? * 2-6"),
        ("0 5/10 * * * 0", "0 5/10 * * * 0"),
        ("@daily", "@daily"),
        ("@every 90m", "@every 90m"),
    ],
)
def test_seconds_are_added_where_they_are_left_out(given: str, expected: str) -> None:
    assert kubeflow_cron(given) == expected


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "1 fields"),
        ("* * * *", "4 fields"),
        ("* * * * * * *", "7 fields"),
        ("60 * * * *", "minute '60'"),
        ("* 24 * * *", "hour '24'"),
        ("* * 0 * *", "day of the month '0'"),
        ("* * * 13 *", "month '13'"),
        ("* * * * 7", "day of the week '7'"),
        ("* * * * MO", "day of the week 'MO'"),
        ("20-10 * * * *", "minute '20-10'"),
        ("*/0 * * * *", "minute '*/0'"),
        ("*-5 * * * *", "minute '*-5'"),
        ("1,,2 * * * *", "minute '1,,2'"),
        ("@sometimes", "1 fields"),
        ("٣ * * * *", "minute '٣'"),
    ],
)
def test_a_malformed_field_is_named(given: str, told: str) -> None:
    with pytest.raises(UserInputError) as error:
        kubeflow_cron(given)

    assert told in str(error.value)
    assert "\n" not in str(error.value)
