"""Two stages: a teacher runs once and writes its target memories; several students learn from them.

python examples/label_store.py
"""

import pastforward as pf


def main(
    budget: pf.Budget = pf.Budget(seconds=30), name: str = "store", sequences: int = 2048
) -> None:
    teacher = pf.train("copy:16", "teacher", name=f"{name}-teacher", budget=budget,
                       if_exists="overwrite")  # fmt: skip
    store = pf.label(teacher, pf.LabelOptions(sequences=sequences, if_exists="overwrite"))
    print(f"{store.facts.sequences} sequences of targets in {store.folder}")
    for cell in ("mlp", "gru"):
        run = pf.train(store, cell=cell, name=f"{name}-{cell}", budget=budget,
                       if_exists="overwrite")  # fmt: skip
        score = run.evaluate().student
        print(f"{cell:<4} {score.nats:.3f} nats, {score.accuracy:.1%} right, without its teacher")


if __name__ == "__main__":
    main()
