"""Text to a stream: train on a text, drop the teacher, write with constant memory per step.

python examples/text_to_stream.py [my-notes.txt]
"""

import sys

import torch

import pastforward as pf


def main(text: str = "pydoc", budget: pf.Budget | None = None) -> None:
    """Train on `text`, a minute when no budget is given, and write two continuations."""
    budget = budget or pf.Budget(seconds=60)
    run = pf.train(text, name="text", budget=budget, if_exists="overwrite")
    # One small file is all that ships; loading it needs neither teacher nor training code.
    student, codec = pf.load_student(run.folder.student)
    stream = pf.Stream(student)
    memory = stream.start(1)
    for symbol in codec.encode("The "):
        memory, _ = stream.step(memory, torch.tensor([symbol]))
    kept = memory.clone()  # the whole state: keep it, copy it, branch from it
    for seed in (0, 1):
        generator = torch.Generator().manual_seed(seed)
        drawn = stream.generate(kept, 80, generator, pf.Sampling(temperature=0.8))
        print("The " + codec.decode(drawn.y[0].tolist()))
    print(f"{memory.numel()} numbers of state, whatever came before; file: {run.folder.student}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
