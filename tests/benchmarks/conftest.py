"""Scripts in benchmarks/ import each other by name, as Python runs them from their folder."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
