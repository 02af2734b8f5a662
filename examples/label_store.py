"""Two stages: a teacher runs once and writes its target memories; several students learn from them.

python examples/label_store.py
"""

import pastforward as pf


def main(budget: pf.Budget | None = None) -> None:
    """One teacher, two students; thirty seconds each when no budget is given."""
    budget = budget or pf.Budget(seconds=30)
    first = pf.train("copy:16", "smt", name="store-first", budget=budget, if_exists="overwrite")
    store = pf.label(first, pf.LabelRequest(sequences=2048), if_exists="overwrite")
    print(f"{store.facts.sequences} sequences of target memories in {store.folder}")
    for cell in ("mlp", "gru"):
        name = f"store-{cell}"
        run = pf.train(store, cell=cell, name=name, budget=budget, if_exists="overwrite")
        score = run.evaluate().student
        print(f"{cell:<4} {score.nats:.3f} nats, {score.accuracy:.1%} right, without a teacher")


if __name__ == "__main__":
    main()
