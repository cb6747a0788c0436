"""Whether what a run pushed is what is served."""

from pathlib import Path

from serving.push_directory.version_file import read_version_file
from serving.push_directory.versions import list_versions


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
    versions = list_versions(destination.parent)
    if version not in versions:
        state = "is not there any more"
        remedy = "push it again with --from VersionedPusher"
    else:
        content = read_version_file(destination.parent)
        served = content.served(versions)
        if version == served:
            return []
        if content.pinned == served:
            state = f"is not what is served: {served} is pinned"
            remedy = f"pin it with aepipe models pin {model} {version}"
        elif version in content.withheld:
            state = f"was rolled back: {served} is served"
            remedy = f"restore it with aepipe models rollback {model} --to {version}"
        else:
            state = f"is older than what is served, {served}"
            remedy = "push it again with --from VersionedPusher"
    return [f"this result was pushed as {version}, which {state}; {remedy}"]
