"""Which columns are read, and the sentence if they are not what was set."""

from pathlib import Path

import pytest

from pipeline_config import SettingError, SignalData, UserInputError
from tests.data.series.files import clock, cut, log

HEADER = "time,temp,flow,state"


def _log(folder: Path, header: str = HEADER, count: int = 8, **cells: str) -> Path:
    """Samples of two channels and a state; `cells` replace a whole column."""
    names = header.split(",") if header else HEADER.split(",")
    lines = [header] if header else []
    for second in range(count):
        row = {"time": clock(second), "temp": f"{second}.5", "flow": f"{second}.25", "state": "1"}
        lines.append(",".join({**row, **cells}.get(name, f"{second}.75") for name in names))
    return log(folder, lines)


def test_a_label_last_and_two_channels_are_the_default(tmp_path: Path) -> None:
    found = cut(_log(tmp_path), label="last", channels=2)
    assert found.values.shape == (2, 4, 2)
    assert found.labels == [1, 1]


BAD = {
    "no_such_channel": (
        {},
        {"channel": ("tmp",)},
        "data.channel=tmp: there is no such column: its columns are time, temp, flow, state",
    ),
    "no_such_number": ({"header": ""}, {"channel": ("4",)}, "its columns have the numbers 0 to 3"),
    "no_such_drop": ({}, {"drop": ("pump",)}, "data.drop=pump: there is no such column"),
    "no_such_label": ({}, {"label": "class"}, "data.label=class: there is no such column"),
    "no_such_time": ({}, {"time": "when"}, "data.time=when: there is no such column"),
    "last_is_no_label": (
        {"header": "time,temp,flow"},
        {"label": "last"},
        "column 3 ('flow') is the last one and holds values such as '0.25', so it is no label: "
        "--set data.label=none if the series has none",
    ),
    "one_channel_alone": (
        {"header": "time,flow"},
        {"label": "last"},
        "column 2 ('flow') is the only one with values, so it is no label: --set data.label=none",
    ),
    "more_channels": (
        {"header": "time,temp,flow"},
        {},
        "2 channels (temp, flow), but data.channels=1: --set data.channels=2, or name those to "
        "read, such as --set data.channel=temp",
    ),
    "fewer_channels": (
        {"header": "time,flow"},
        {"channels": 2},
        "1 channel (flow), but data.channels=2: --set data.channels=1",
    ),
    "named_channels": (
        {"header": "time,temp,flow"},
        {"channel": ("temp", "flow")},
        "data.channel=temp, flow names 2 channels, but data.channels=1: --set data.channels=2",
    ),
    "text_in_a_channel": (
        {"header": "time,flow,site", "site": "north"},
        {"channels": 2},
        "column 3 ('site') holds text such as 'north', which is no channel: --set data.drop=site",
    ),
    "times_behind": (
        {"header": "flow,logged", "logged": clock(0)},
        {"channels": 2},
        "--set data.time=logged if it holds the times, else --set data.drop=logged",
    ),
    "a_date_and_a_time_of_day": (
        {"header": "date,time,flow", "date": "2026-01-01"},
        {},
        "2 columns may be the times, date and time: --set data.time=time --set data.drop=date",
    ),
    "two_parts_of_the_time": (
        {"header": "date,time,flow", "date": "2026-01-01", "time": "noon"},
        {},
        "2 columns may be the times, date and time: join them into one, such as "
        "2026-01-31T12:00:00, or count samples alone: --set data.time=none --set data.drop=",
    ),
    "two_times": (
        {"header": "timestamp,time,flow", "timestamp": "2026-01-01"},
        {"drop": ("flow",)},
        "2 columns may be the times, timestamp and time: --set data.time=time "
        "--set data.drop=flow,timestamp",
    ),
    "empty_column": (
        {"header": "time,flow,spare", "spare": ""},
        {"channels": 2},
        "column 3 ('spare') is empty in the first rows: --set data.drop=spare",
    ),
    "the_time_is_named": (
        {"header": "time,flow"},
        {"channel": ("time",)},
        "data.channel names column 1 ('time'), which is read as the times: take it out of "
        "data.channel, or --set data.time=none",
    ),
    "twice_the_name": (
        {"header": "time,flow,flow"},
        {"channel": ("flow",)},
        "data.channel=flow: 2 columns have this name: give the number of one, from 0, such as "
        "--set data.channel=1",
    ),
}


def test_an_index_is_named(tmp_path: Path) -> None:
    file = log(tmp_path, [",flow", *(f"{row},{row}.5" for row in range(8))])

    with pytest.raises(UserInputError, match=r"counts 0, 1, 2, \.\.\. \(an index\?\): .*drop=0$"):
        cut(file)


def test_a_decimal_comma_beside_a_time(tmp_path: Path) -> None:
    file = log(tmp_path, [f"{clock(second)};{second},5" for second in range(8)])

    with pytest.raises(UserInputError, match=r"decimal comma, such as '0,5'"):
        cut(file)


@pytest.mark.parametrize(("file", "changes", "expected"), BAD.values(), ids=BAD)
def test_columns_that_are_not_as_set(
    tmp_path: Path, file: dict[str, str], changes: dict[str, object], expected: str
) -> None:
    path = _log(tmp_path, **file)  # type: ignore[arg-type]

    with pytest.raises(UserInputError) as raised:
        cut(path, **changes)

    line = str(raised.value)
    assert expected in line
    assert line.startswith((str(path), "data.channel="))
    assert "\n" not in line


BAD_ROWS = {
    "text": (["time,flow", "1,2.5", "2,abc"], "row 3, column 2 ('flow'): 'abc' is not a number"),
    "too_large": (["time,flow", "1,2.5", "2,1e39"], "row 3, column 2 ('flow'): '1e+39' is not a"),
    "infinite": (["time,flow", "1,2.5", "2,inf"], "row 3, column 2 ('flow'): 'inf' is not a"),
    "ragged": (
        ["time,flow", "1,2.5", "2"],
        "row 3: 1 value, expected 2 (time, flow): complete the row or take it out",
    ),
    "longer": (
        ["t,flow", "1,2.5", "", "2,3,4"],
        "row 4: 3 values, expected 2 (t, flow): shorten the row",
    ),
    "another_header": (
        ["time,flow", "1,2.5", "2,2.5", "time,speed", "3,2.5"],
        "row 4: a line of names in the middle, time, speed, ...: take it out, or split the file",
    ),
    "empty": ([""], "the file is empty"),
    "arff": (
        ["@relation pump", "@attribute flow real", "@data", "1"],
        "each row of an ARFF or .ts",
    ),
    "header_alone": (["time,flow"], "the file has a header but no rows below it"),
    "many_labels": (
        [
            "flow,label",
            *(f"{row}.5,{min(row % 19, 9) if row < 200 else row}" for row in range(400)),
        ],
        "the label has more than 100 different values",
    ),
}


@pytest.mark.parametrize(("lines", "expected"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_rows_that_are_no_samples(tmp_path: Path, lines: list[str], expected: str) -> None:
    file = log(tmp_path, lines)

    with pytest.raises(UserInputError) as raised:
        cut(file, label="label" if "label" in lines[0] else "none", channel=("flow",))

    assert str(raised.value).startswith(str(file))
    assert expected in str(raised.value)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range(share: float) -> None:
    with pytest.raises(SettingError, match=r"data\.share=.*: expected 0 to below 1"):
        SignalData(share=share)


def test_a_constant_channel_is_noticed(tmp_path: Path) -> None:
    found = cut(_log(tmp_path, "time,flow,pump", pump="7"), channels=2)

    assert found.notices == [
        "channel pump is the same number in every sample: it says nothing: "
        "leave it out with data.drop and one less in data.channels"
    ]


def test_a_line_of_numbers_is_a_header_only_if_it_counts_columns(tmp_path: Path) -> None:
    rows = ["0,1", "1,5", "2,6", "3,7"]
    assert cut(log(tmp_path, rows), channels=2).values[0, 0].tolist() == [0, 1]
    named = ["time,0,1", *(f"{second},{second},5" for second in range(4))]
    assert cut(log(tmp_path, named), channels=2).values[0, 0].tolist() == [0, 5]
