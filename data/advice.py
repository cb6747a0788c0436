"""The settings that a sentence to the user ends with, read back from it."""

import re
import shlex

_SETTING = r"--set (?:'[^']*'|[^\s']+)"
_SETTINGS = re.compile(rf"{_SETTING}(?: {_SETTING})*")
_NOT_PART_OF_IT = ",;:).?"


def advised_settings(sentence: str) -> tuple[str, ...]:
    """Returns the settings that a sentence advises; of several ways out, the first.

    >>> advised_settings("label first: --set data.label=first --set data.length=187, or drop it")
    ('data.label=first', 'data.length=187')

    Returns:
        Each as `--set` takes it; none if the sentence advises no setting, or one whose value the
        user has to fill in (`--set data.label=NAME`).
    """
    for found in _SETTINGS.finditer(sentence):
        words = shlex.split(found[0])[1::2]
        settings = tuple(word.rstrip(_NOT_PART_OF_IT) for word in words)
        if all("=" in setting and not _is_placeholder(setting) for setting in settings):
            return settings
    return ()


def _is_placeholder(setting: str) -> bool:
    key, _, text = setting.partition("=")
    if key == "data.normal":
        # Classes have such names: N is a normal beat.
        return False
    values = text.split(",")
    return any(re.fullmatch(r"NAME|N|C|FILE|SUFFIX", value) is not None for value in values)
