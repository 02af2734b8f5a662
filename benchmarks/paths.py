"""Where benchmarks read and write."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS, DOCS, RUNS = ROOT / "benchmarks" / "results", ROOT / "docs", ROOT / "runs"
