"""Driver of an ExampleGen that reads a window of spans."""

from typing import Any

from tfx.components.example_gen import utils
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.orchestration import data_types

from components.span_window.window import WINDOW_PROPERTY, resolve_window


class SpanWindowDriver(FileBasedDriver):
    """Resolves the files before the cache is asked, so that a new one is a new input.

    TFX's own driver takes whatever its glob matches: hidden files and folders too, and it reads
    marks such as `[` in the folder's own name as part of the glob.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds the files to read, the newest span with its version, and a fingerprint."""
        window = resolve_window(exec_properties)
        exec_properties[WINDOW_PROPERTY] = window.to_json()
        exec_properties[utils.SPAN_PROPERTY_NAME] = window.newest.number
        exec_properties[utils.VERSION_PROPERTY_NAME] = window.newest.version
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = window.fingerprint
        return exec_properties
