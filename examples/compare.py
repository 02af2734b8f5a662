"""Compare in Python: the same network by several methods and seeds, one table, one page.

python examples/compare.py
"""

import pastforward as pf


def main(budget: pf.Budget = pf.Budget(seconds=30), name: str = "compared") -> None:
    found = pf.compare(
        ["digits"],
        pf.CompareOptions(
            methods=("bptt", "smt+dmt"), cells=("mlp",), seeds=(0, 1), budget=budget, name=name,
            if_exists="overwrite",
        ),
    )  # fmt: skip
    for line in found.lines:
        print(f"{line.setting}: {line.nats.mean:.4f} nats over {line.finished} seeds")
    print(f"Page: {found.report()}")


if __name__ == "__main__":
    main()
