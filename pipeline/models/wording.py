"""A change in words."""

from pipeline.models.change import Change


def sentences(change: Change) -> list[str]:
    """Returns what a person is told: what changed, what is served now, and what a push will do."""
    told = [f"{change.model}: {_what(change)}", f"  served by default: {change.served}"]
    if change.withheld:
        told.append(f"  withheld: {_numbers(change.withheld)}")
    if change.action in ("rollback", "unpin") and change.pinned is None:
        told.append("  a version pushed later takes over")
    if change.action in ("rollback", "pin") and change.pinned is not None:
        told.append(
            f"  {change.pinned} is pinned, and stays served whatever is pushed; "
            f"aepipe models unpin {change.model} ends that"
        )
    return told


def _what(change: Change) -> str:
    if change.action == "prune":
        return f"removed {_numbers(change.removed)}" if change.removed else "nothing to remove"
    if not change.changed:
        return "nothing changed"
    if change.action == "rollback":
        return _rolled_back(change)
    if change.action == "label":
        if change.to_version is None:
            return f"{change.label} names no version any more"
        return f"{change.label} names {change.to_version}"
    if change.action == "pin":
        return f"pinned {change.to_version}"
    return f"{change.from_version} is not pinned any more"


def _rolled_back(change: Change) -> str:
    before, now = change.from_version, change.to_version
    if before is None or now is None or before == now:
        return "what is newer than the served version is withheld now"
    return f"rolled back from {before} to {now}" if now < before else f"restored {now}"


def _numbers(versions: list[int]) -> str:
    return ", ".join(map(str, versions))
