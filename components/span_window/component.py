"""An ExampleGen that reads a window of spans."""

from tfx.components.example_gen.component import FileBasedExampleGen

from components.span_window.driver import SpanWindowDriver


class SpanWindowExampleGen(FileBasedExampleGen):
    """TFX's FileBasedExampleGen, whose `range_config` may name more than one span.

    The window is one Examples artifact with the number of its newest span. TFX's other way, one
    artifact a span and a Resolver with `SpanRangeStrategy` over those of earlier runs, sees only
    what this pipeline has ingested, takes a span twice that was ingested twice, takes those that
    the data gate refused, and StatisticsGen takes no more than one artifact.
    """

    DRIVER_CLASS = SpanWindowDriver
