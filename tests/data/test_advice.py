import pytest

from data.advice import advised_settings


@pytest.mark.parametrize(
    ("sentence", "settings"),
    [
        ("complete the row or take it out", ()),
        ("--set data.length=187", ("data.length=187",)),
        (
            "label first: --set data.label=first --set data.drop=0,2, or --set data.label=none",
            ("data.label=first", "data.drop=0,2"),
        ),
        ("so --set 'data.pattern=*.tsv{,.gz}' (see there).", ("data.pattern=*.tsv{,.gz}",)),
        ("name it (--set data.drop=0).", ("data.drop=0",)),
        ("--set data.drop=", ("data.drop=",)),
        ("--set data.before and data.after to fewer samples", ()),
        ("--set data.label=NAME, or --set data.label=none", ("data.label=none",)),
        ("--set data.arrays=NAME,NAME", ()),
    ],
)
def test_the_first_settings_that_a_sentence_advises(sentence, settings):
    assert advised_settings(sentence) == settings
