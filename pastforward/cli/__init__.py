"""L6. Commands: one file each, imported only when asked for. Imports no torch.

A command module has `main(argv)`: it prints its result, and as its last line where that lies.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A command: its module in this package and what it does."""

    module: str
    summary: str


COMMANDS = {
    "train": Entry("train", "train a network on a recipe's data or on your own"),
    "compare": Entry("compare", "train the same network several ways, side by side"),
    "label": Entry("label", "write a teacher's labels once, to train any number of students from"),
    "eval": Entry("eval", "measure a run on held-out data, with its teacher and the floors"),
    "doctor": Entry("doctor", "examine a run for the usual faults, with what to try"),
    "analyse": Entry("analyse", "ask a run where it loses, what it remembers, how far it goes"),
    "generate": Entry("generate", "draw text or images from a trained network"),
    "report": Entry("report", "write one page about one or more runs"),
    "list": Entry("list", "show recipes, ways, cells, encoders and runs"),
}
