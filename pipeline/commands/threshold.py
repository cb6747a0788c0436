"""`aepipe models threshold`: shows a detector's threshold, or pushes it with another one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.push_directory import (
    MODEL,
    model_folder,
    push_directory_options,
    report_changes,
)
from pipeline_config import CALIBRATION_SPLIT, UserInputError
from serving.tensorflow_greeting import import_tensorflow

if TYPE_CHECKING:
    from pipeline.models.threshold import PushedThreshold


# A negative number would be taken for an option.
@click.command(context_settings={"ignore_unknown_options": True})
@MODEL
@click.argument("action", type=click.Choice(["show", "set", "false-alarm-rate"]))
@click.argument("value", metavar="[VALUE]", required=False)
@push_directory_options
def threshold(model: str, action: str, value: str | None, push_root: Path, as_json: bool) -> None:
    """Show a detector's threshold, or serve the same weights with another one.

    MODEL show prints it, how it was set, and the false alarms to expect of it. MODEL set VALUE
    writes a new version of what is served now, without a training. MODEL false-alarm-rate RATE does
    the same with the threshold that at most this share of normal examples exceeds.
    """
    if (value is None) != (action == "show"):
        expected = "takes no value" if action == "show" else "takes a value"
        raise UserInputError(f"aepipe models threshold {model} {action}: {action} {expected}")
    folder = model_folder(push_root, model)
    import_tensorflow()
    from pipeline.models.threshold import (
        change_threshold,
        parse_threshold,
        read_threshold,
        threshold_at_rate,
    )

    if value is None:
        _show(read_threshold(folder), as_json)
        return
    found, rate = read_threshold(folder), None
    if action == "set":
        number = parse_threshold(value)
    else:
        number, rate = threshold_at_rate(found, value)
    made = change_threshold(found, number, false_alarm_rate=rate)
    report_changes(push_root, [made], as_json)


def _show(found: "PushedThreshold", as_json: bool) -> None:
    from pipeline.terminal import plain_console, print_fields

    values = found.as_dict()
    if as_json:
        click.echo(json.dumps(values))
        return
    origin = ", ".join(
        f"{name} {given:.6g}" if isinstance(given, float) else f"{name} {given}"
        for name, given in sorted(found.origin.items(), key=lambda item: item[0] != "strategy")
        if name != "value" and given is not None
    )
    rate, normals = values["false_alarm_rate"], values["normal_errors"]
    expected = "not known: the version was pushed without its normal errors"
    if rate is not None:
        held_out = found.origin.get("split") == CALIBRATION_SPLIT
        which = "that were held out" if held_out else "of the training, so rather more"
        expected = f"{rate:.2%} of normal examples, by {normals:,} {which}"
    rows = [
        ("version", str(found.version)),
        ("threshold", f"{found.value:.6g}"),
        ("set from", origin or "not recorded"),
        ("false alarms", expected),
    ]
    console = plain_console()
    console.print(found.folder.name, style="bold")
    print_fields(console, rows)
