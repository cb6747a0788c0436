"""One line of `aepipe doctor`."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was looked at, and what it came to.

    Attributes:
        check: `versions`, `disk`, `data`, `home`, `metadata` or `models`.
        subject: What it is about: a folder, a pipeline or a model.
        ok: Whether nothing is wrong.
        text: What there is; if something is wrong, what to do.
    """

    check: str
    subject: str
    ok: bool
    text: str
