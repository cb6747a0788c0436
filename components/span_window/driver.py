"""Driver of an ExampleGen that reads a window of spans."""

from typing import Any

from tfx.components.example_gen import utils
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.orchestration import data_types

from components.span_window.window import WINDOW_PROPERTY, resolve_window


class SpanWindowDriver(FileBasedDriver):
    """Resolves the window before the cache is asked, so that a new span is a new input.

    Where the patterns name no spans, it is TFX's own driver.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds the window, the newest span with its version, and a fingerprint of all files."""
        window = resolve_window(exec_properties)
        if window is None:
            return super().resolve_exec_properties(exec_properties, pipeline_info, component_info)
        exec_properties[WINDOW_PROPERTY] = window.to_json()
        exec_properties[utils.SPAN_PROPERTY_NAME] = window.newest.number
        exec_properties[utils.VERSION_PROPERTY_NAME] = window.newest.version
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = window.fingerprint
        return exec_properties
