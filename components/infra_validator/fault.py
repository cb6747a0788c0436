"""What is wrong with a candidate."""


class CandidateFault(Exception):  # noqa: N818 - it is a finding, and refuses a push.
    """The candidate cannot be served; the message is one line that says what went wrong."""


def one_line(text: str, most: int = 400) -> str:
    """Returns text of many lines, such as TensorFlow's errors, as one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]} ..."
