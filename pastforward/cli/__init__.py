"""L7. Commands: one file each, imported when it is called. Imports no torch.

A command module has `main(argv)`: it parses, calls one library function, prints the result, and as
its last line where that lies.
"""

from pastforward.registry import Entry


def _row(name: str, summary: str) -> Entry:
    return Entry(f"pastforward.cli.{name}:main", summary=summary)


COMMANDS = {
    "train": _row("train", "train a network on a recipe's data or on your own"),
    "compare": _row("compare", "train networks by several methods, side by side"),
    "label": _row("label", "write a teacher's targets once, to train any number of students from"),
    "eval": _row("eval", "measure a run on held-out data, with its teacher and references"),
    "doctor": _row("doctor", "check a run for the usual faults, with what to try"),
    "analyse": _row("analyse", "ask a run where it loses, what it remembers, how far it goes"),
    "generate": _row("generate", "draw text or images from a trained network"),
    "export": _row("export", "write a student for ONNX, Hugging Face or torch.nn, or compiled"),
    "serve": _row("serve", "show a student on a local page, and serve text by OpenAI's interface"),
    "forecast": _row("forecast", "forecast what follows a series, with quantiles and a picture"),
    "backtest": _row("backtest", "forecast test rows from rolling origins, beside simple rivals"),
    "report": _row("report", "write one page about one or more runs"),
    "list": _row("list", "show recipes, tasks, methods, cells, encoders, baselines and runs"),
}
