"""Names in the pusher's output, for those who read it without TensorFlow."""

NOTICE_PROPERTY = "notice"
"""Custom property of the pushed model: lines that the run's reader has to know."""
