"""`docs/map.md` names files and symbols that exist."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
ROW = re.compile(
    r"^\| (?P<subject>[^|]+) \| `(?P<path>[^`]+)`: `(?P<symbol>\w+)` \|$", re.MULTILINE
)


def test_the_map_leads_to_what_it_names() -> None:
    rows = list(ROW.finditer((REPOSITORY / "docs" / "map.md").read_text()))
    assert len(rows) >= 10
    for row in rows:
        source = (REPOSITORY / row["path"]).read_text()
        assert re.search(rf"\b{row['symbol']}\b", source), row["subject"]
