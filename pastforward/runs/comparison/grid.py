"""L6. The runs of a comparison: tasks x networks x methods x seeds, and searches before them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pastforward.recipes.names import stem

SEARCH_SEED = 1000
"""The seed on which rates are searched; never one that is reported."""


@dataclass(frozen=True, order=True)
class Setting:
    """What is trained, apart from the seed: a line of the table."""

    task: str
    cell: str
    """The student's cell, or the name of a baseline."""
    strategy: str

    def __str__(self) -> str:
        return f"{self.task} {self.cell} {self.strategy}"


@dataclass(frozen=True)
class Trial:
    """One run: a setting, a seed, and a factor on the recipe's rates."""

    setting: Setting
    seed: int
    factor: float = 1.0

    @property
    def is_reported(self) -> bool:
        """Whether it is no run of the search."""
        return self.seed != SEARCH_SEED

    def __str__(self) -> str:
        if not self.is_reported:
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
    networks: tuple[str, ...] = ()
    """Baselines: each is trained by its one method, 'parallel'."""

    @property
    def plain(self) -> bool:
        """Is it one network on one task with one seed? Then runs lie in NAME/METHOD."""
        trained = len(self.cells) + len(self.networks)
        return len(self.tasks) == trained == len(self.seeds) == 1

    def settings(self) -> list[Setting]:
        """All lines of the table, in the order given."""
        return [
            Setting(task, name, strategy)
            for task in self.tasks
            for name in (*self.cells, *self.networks)
            for strategy in (("parallel",) if name in self.networks else self.strategies)
        ]

    def searches(self) -> list[Trial]:
        """Runs that find rates, before the others."""
        return [
            Trial(setting, SEARCH_SEED, factor)
            for setting in self.settings()
            for factor in self.factors
        ]

    def trials(self) -> list[Trial]:
        """Runs that are reported, seed by seed, so that half a grid has a whole seed."""
        return [Trial(setting, seed) for seed in self.seeds for setting in self.settings()]

    def place(self, trial: Trial) -> Path:
        """Where a run lies below the comparison's folder."""
        setting = trial.setting
        cell, strategy = (part.replace(":", ".") for part in (setting.cell, setting.strategy))
        whole = Path(stem(setting.task), cell, strategy)
        if not trial.is_reported:
            return "rates" / whole / f"x{trial.factor:g}"
        return Path(strategy) if self.plain else whole / f"seed{trial.seed}"


def problem(grid: Grid) -> str | None:
    """One sentence on what is wrong with the axes; None when nothing is."""
    for what, option, given in (
        ("method", "--methods", grid.strategies), ("seed", "--seeds", grid.seeds),
        ("cell or network", "--cells", (*grid.cells, *grid.networks)),
        ("task", "the command", grid.tasks),
    ):  # fmt: skip
        if not given:
            return f"No {what} was named after {option}; name one or more."
        if len(set(given)) < len(given):
            return f"A {what} was named twice; name each once."
    if len({stem(task) for task in grid.tasks}) < len(grid.tasks):
        return "Two tasks would share a folder's name; compare them one after the other."
    return _seed_problem(grid.seeds) or _search_problem(grid.factors, grid.share)


def _seed_problem(seeds: Sequence[int]) -> str | None:
    if SEARCH_SEED in seeds:
        return f"Seed {SEARCH_SEED} is reserved for the search of rates; give another one."
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
