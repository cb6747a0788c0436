"""The tutorial's own examples, which the tutorial's bounds are of, recognised by content."""

from collections.abc import Mapping
from types import MappingProxyType

TUTORIAL_EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "d385756c5221b68957dbd3c1cdc6d68f": "ecg.csv",
        "99b5cdba05e688238bded8cc0524998d": "Fashion-MNIST",
        "fe29de26076e497cbd04f1b4819277fa": "the built-in sample of ecg.csv",
        "63fd7bdcabb96b3e486c207594835070": "the built-in sample of Fashion-MNIST",
    }
)
"""Digests of the examples in the tutorial's files and in the samples that stand in for them; see
`scores.examples_digest`. They are of content: another split, order,
compression or way of storing the files changes nothing, another reading of the labels does."""
