"""L6. `pastforward train`."""

from pastforward.cli.options import RUNS
from pastforward.cli.train_options import TrainOptions, read_train
from pastforward.config import RunConfig
from pastforward.recipes.names import stem

DESCRIPTION = """\
Train a network on a recipe's data or on your own.

Examples:
  pastforward train digits
  pastforward train copy32 --method bptt --student.cell gru --seconds 300
  pastforward train key_values:128,pairs=8,symbols=16
  pastforward train my-notes.txt --name notes --smt.future 32
  pastforward train images.npy --data.pool 2 --steps 2000
  pastforward train --labels runs/digits-smt+dmt/labels --cell gru
  torchrun --nproc-per-node 8 -m pastforward train digits --tokens 100000000

Defaults shown are those of the recipe named (digits when none is). SIGTERM and Ctrl-C save;
--resume goes on.
"""


def main(argv: list[str]) -> None:
    """Train, evaluate, and write runs/NAME/."""
    options, config = read_train(argv, DESCRIPTION)

    from pastforward.cli.showing import show
    from pastforward.report.run_page import write_report
    from pastforward.runs.running import consoles, existing, resume_command, train_run
    from pastforward.training.folder import RunFolder

    folder = RunFolder(RUNS / (options.name or usual_name(options, config)))
    if_exists = existing(options.resume, options.overwrite)
    out, stderr = consoles()
    summary = train_run(config, folder, if_exists, stderr, resume_command("train", argv))
    if summary.evaluation:
        show([(folder, summary)], out)
        print(f"Report: {write_report([summary], folder.report)}")


def usual_name(options: TrainOptions, config: RunConfig) -> str:
    """Recipe or file name, and the way; of many students from the same labels, the cell too."""
    if config.label_store is not None:
        return f"{stem(config.data.source)}-{options.method}-{config.student.cell}"
    return f"{stem(options.recipe)}-{options.method}"
