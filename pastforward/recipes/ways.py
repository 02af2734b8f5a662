"""L5. Ways to train: named lists of stages, each a method for a share of the budget."""

from collections.abc import Mapping

from pastforward.config import Stage

WAYS: dict[str, tuple[tuple[str, float], ...]] = {
    "bptt": (("bptt", 1.0),),
    "tbptt": (("tbptt", 1.0),),
    "smt": (("teacher", 0.3), ("smt", 0.7)),
    "smt+dmt": (("teacher", 0.15), ("smt", 0.35), ("dmt", 0.5)),
    "two-stage": (("teacher", 0.4), ("smt-frozen", 0.2), ("dmt", 0.4)),
}
"""Methods and their shares of the budget, in order, by name."""

USUAL_WAY = "smt+dmt"

_LIKE = {"tbptt": "bptt", "smt-frozen": "smt", "dmt-unroll": "dmt"}


def stages(
    way: str,
    rates: Mapping[str, float],
    ways: Mapping[str, tuple[tuple[str, float], ...]] = WAYS,
) -> tuple[Stage, ...]:
    """The stages of a way with learning rates by method.

    A method without a rate of its own takes that of its kin (tbptt that of bptt, smt-frozen that
    of smt). Raises `UsageError` for a way that is not in `ways`.
    """
    if way not in ways:
        from pastforward.types import UsageError, nearest

        raise UsageError(f"There is no way '{way}' to train; {nearest(way, ways)}.")
    return tuple(
        Stage(method, share, rates.get(method) or rates[_LIKE[method]])
        for method, share in ways[way]
    )
