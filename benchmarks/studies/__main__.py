"""The comparisons behind docs/results.md, one after the other, then the page.

    python -m benchmarks.studies                   all of them; finished runs are kept
    python -m benchmarks.studies retrieval digits  some of them
    python -m benchmarks.studies analyses          what finished runs remember, how far they go
    python -m benchmarks.studies samples           what finished runs write
    python -m benchmarks.studies page              the pages alone, from the results that there are

Every comparison is a `pastforward compare` with two runs at a time, one thread each: give it an
idle machine with two cores. Runs lie in runs/evidence-NAME, their rows go to
benchmarks/results/evidence-NAME.json, and the page is docs/results.in.md with tables and figures
filled in; the tables of README.md are made from the same rows. Comparisons of real data need
PASTFORWARD_DATA, and are left out without it.
"""

import sys

from benchmarks.studies.comparisons import COMPARISONS
from pastforward.errors import nearest


def main(names: list[str]) -> int:
    """The exit code: 2 where there is no comparison of that name."""
    if {"-h", "--help"} & {*names}:
        print(__doc__)
        return 0
    known = (*COMPARISONS, "analyses", "samples", "page")
    for name in names:
        if name not in known:
            print(f"There is no study '{name}'; {nearest(name, known)}.", file=sys.stderr)
            return 2
    run(names or list(known))
    return 0


def run(names: list[str]) -> None:
    """Train, ask, and write the page and its figures."""
    from benchmarks.studies.page import write_page
    from benchmarks.studies.pictures import draw_pictures
    from benchmarks.studies.questions import analyse, samples
    from benchmarks.studies.readme import write_readme
    from benchmarks.studies.training import train

    others = {"analyses": analyse, "samples": samples, "page": lambda: None}
    for name in names:
        others[name]() if name in others else train(name)
    draw_pictures()
    write_page()
    write_readme()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
