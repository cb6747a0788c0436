"""Whether what a run pushed is what is served."""

from pathlib import Path

from serving.push_directory.model_versions import read_versions


def not_served(destination: Path) -> list[str]:
    """Tells where a pushed version is not the one that is served by default, and what to do.

    Args:
        destination: Folder that a run pushed to, now or in an earlier run with the same result.

    Returns:
        One sentence, or none where it is served.

    Raises:
        UserInputError: The model's `versions.json` is malformed.
    """
    model, version = destination.parent.name, int(destination.name)
    there = read_versions(destination.parent)
    if version not in there.numbers:
        state = "is not there any more"
        remedy = "push it again with --from VersionedPusher"
    elif version in there.faults:
        state = f"cannot be served: {there.faults[version]}"
        remedy = "push it again with --from VersionedPusher"
    else:
        served = there.served
        if version == served:
            return []
        if there.file.pinned == served:
            state = f"is not what is served: {served} is pinned"
            remedy = f"pin it with aepipe models pin {model} {version}"
        elif version in there.file.withheld:
            state = f"was rolled back: {served} is served"
            remedy = f"restore it with aepipe models rollback {model} --to {version}"
        else:
            state = f"is older than what is served, {served}"
            remedy = "push it again with --from VersionedPusher"
    return [f"this result was pushed as {version}, which {state}; {remedy}"]
