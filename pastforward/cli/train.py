"""L7. `pastforward train`."""

from pastforward.cli.options import resume_command
from pastforward.cli.train_options import read_train
from pastforward.data.opening import Opened
from pastforward.runs.places import if_exists_of
from pastforward.runs.request import TrainOptions

DESCRIPTION = """\
Train a network on a recipe's data or on your own. RECIPE or PATH comes first.

Examples:
  pastforward train digits
  pastforward train copy32 --method bptt --cell gru --seconds 300
  pastforward train my-notes.txt --name notes --smt.future 32
  pastforward train images.npy --data.pool 2 --steps 2000
  pastforward train waves.csv --data.task classify --data.target speed
  pastforward train copy32 --cell my_module:MyCell --cell.depth 3
  pastforward train --labels runs/digits-smt+dmt/labels --cell gru
  torchrun --nproc-per-node 8 -m pastforward train digits --tokens 100000000
  torchrun --nproc-per-node 8 -m pastforward train long.txt --method smt --dist.time 8
    --teacher.window 64

Defaults shown are those of the recipe named (digits when none is). SIGTERM and Ctrl-C save;
--resume goes on.
"""


def main(argv: list[str]) -> None:
    """Train, evaluate, and write runs/NAME/."""
    opened = Opened()
    asked, config, name = read_train(argv, DESCRIPTION, opened)

    from rich.console import Console

    from pastforward.cli.showing import show
    from pastforward.runs.tracking import tracked
    from pastforward.runs.training import train
    from pastforward.training.distributed import rank

    if_exists, again = if_exists_of(asked.resume, asked.overwrite), resume_command("train", argv)
    options = TrainOptions(
        resume_command=again, allow_new_data=asked.allow_new_data, opened=opened,
        console=Console(stderr=True, quiet=True) if asked.quiet else None,
        callbacks=tracked(asked.track, name, config),
    )  # fmt: skip
    run = train(config, name=name, if_exists=if_exists, options=options)
    if rank() == 0:
        page = run.report()  # first: nothing that is shown can keep it from being there
        show([run])
        print(f"Report: {page}")
