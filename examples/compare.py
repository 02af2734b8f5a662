"""Compare in Python: the same network by several methods and seeds, one table, one page.

python examples/compare.py
"""

import pastforward as pf


def main(budget: pf.Budget | None = None) -> None:
    """BPTT beside SMT then DMT on digits; thirty seconds a run when no budget is given."""
    request = pf.CompareRequest(
        cells=("mlp",), methods=("bptt", "smt+dmt"), seeds=(0, 1),
        budget=budget or pf.Budget(seconds=30),
    )  # fmt: skip
    found = pf.compare(["digits"], request, name="compared", if_exists="overwrite")
    for line in found.lines:
        print(f"{line.setting}: {line.nats.mean:.4f} nats, mean of {line.finished} seeds")
    print(f"Page: {found.report()}")


if __name__ == "__main__":
    main()
