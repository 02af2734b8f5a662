"""L5. The runs of a comparison: tasks x cells x ways x seeds, and searches before them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pastforward.config import RunConfig, StudentConfig
from pastforward.recipes.names import stem

SEARCH_SEED = 1000
"""The seed on which rates are searched; never one that is reported."""


@dataclass(frozen=True, order=True)
class Setting:
    """What is trained, but for the seed: a line of the table."""

    task: str
    cell: str
    strategy: str

    def __str__(self) -> str:
        return f"{self.task} {self.cell} {self.strategy}"


@dataclass(frozen=True)
class Trial:
    """One run: a setting, a seed, and a factor on the recipe's rates."""

    setting: Setting
    seed: int
    factor: float = 1.0

    def __str__(self) -> str:
        if self.seed == SEARCH_SEED:
            return f"{self.setting}, rates x {self.factor:g}"
        return f"{self.setting} seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """The axes of a comparison."""

    tasks: tuple[str, ...]
    cells: tuple[str, ...]
    strategies: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    factors: tuple[float, ...] = ()
    """Factors to search; none for no search."""
    share: float = 0.25
    """Part of the budget that each of them gets."""

    @property
    def plain(self) -> bool:
        """Is it one network on one task with one seed? Then runs lie in NAME/WAY."""
        return len(self.tasks) == len(self.cells) == len(self.seeds) == 1

    def settings(self) -> list[Setting]:
        """All lines of the table, in the order given."""
        return [
            Setting(task, cell, strategy)
            for task in self.tasks
            for cell in self.cells
            for strategy in strategies_of(cell, self.strategies)
        ]

    def searches(self) -> list[Trial]:
        """Runs that find rates, before the others."""
        return [
            Trial(setting, SEARCH_SEED, factor)
            for setting in self.settings()
            for factor in self.factors
        ]

    def trials(self) -> list[Trial]:
        """Runs that are reported, seed by seed: half a grid then has a whole seed."""
        return [Trial(setting, seed) for seed in self.seeds for setting in self.settings()]

    def place(self, trial: Trial) -> Path:
        """Where a run lies below the comparison's folder."""
        setting = trial.setting
        whole = Path(stem(setting.task), setting.cell, setting.strategy)
        if trial.seed == SEARCH_SEED:
            return "rates" / whole / f"x{trial.factor:g}"
        return Path(setting.strategy) if self.plain else whole / f"seed{trial.seed}"


def strategies_of(cell: str, strategies: tuple[str, ...]) -> tuple[str, ...]:
    """The ways by which a cell is trained: `ways`, or for a peer its only one."""
    from pastforward.baselines import BASELINES

    return ("parallel",) if cell in BASELINES else strategies


def problem(grid: Grid) -> str | None:
    """One sentence on what is wrong with the axes; None when nothing is."""
    for what, option, given in (
        ("strategy", "--methods", grid.strategies), ("cell", "--cells", grid.cells),
        ("seed", "--seeds", grid.seeds), ("task", "the command", grid.tasks),
    ):  # fmt: skip
        if not given:
            return f"No {what} was named after {option}; name one or more."
        if len(set(given)) < len(given):
            return f"A {what} was named twice; name each once."
    if len({stem(task) for task in grid.tasks}) < len(grid.tasks):
        return "Two tasks would share a folder's name; compare them one after the other."
    return _seed_problem(grid.seeds) or _search_problem(grid.factors, grid.share)


def configured(config: RunConfig, trial: Trial, share: float = 1.0) -> RunConfig:
    """The config of a trial, from that of its task and way."""
    return replace(
        config,
        student=with_cell(config.student, trial.setting.cell),
        stages=tuple(replace(s, lr=trial.factor * s.lr) for s in config.stages),
        budget=config.budget if share == 1.0 else config.budget.part(share),
        seed=trial.seed,
    )


def with_cell(student: StudentConfig, cell: str) -> StudentConfig:
    """The same memory for another cell; an LSTM keeps its K * D numbers in K = 2 slots.

    A peer, which has no memory of that shape, gets the size of the cell that was there.
    """
    from pastforward.baselines import BASELINES

    if cell in BASELINES:
        return replace(student, cell=cell, like=student.cell)
    size = student.slots * student.width
    if cell == "lstm" and student.slots != 2 and size % 2 == 0:
        student = replace(student, slots=2, width=size // 2)
    return replace(student, cell=cell)


def _seed_problem(seeds: Sequence[int]) -> str | None:
    if SEARCH_SEED in seeds:
        return f"Seed {SEARCH_SEED} is kept for the search of rates; give another one."
    wrong = [seed for seed in seeds if abs(seed) >= 10**15]
    return f"--seeds holds {wrong[0]}; give numbers of at most 15 digits." if wrong else None


def _search_problem(factors: Sequence[float], share: float) -> str | None:
    if len(set(factors)) < len(factors):
        return "A factor was given twice after --factors; give each once."
    if not all(0.0 < factor < float("inf") for factor in factors):
        return f"--factors are {', '.join(map(str, factors))}; give numbers above 0."
    if not 0.0 < share <= 1.0:
        return f"--share is {share}; it is a part of the budget, so give 0 to 1."
    return None
