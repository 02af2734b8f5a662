"""L4. Held-out figures of a student alone, and how they are shown."""

from pastforward.evaluation.collapse import Collapse, effective_rank
from pastforward.evaluation.drift import Drift
from pastforward.evaluation.score import Score
from pastforward.evaluation.standalone import Evaluation, evaluate, quick_loss

__all__ = ["Collapse", "Drift", "Evaluation", "Score", "effective_rank", "evaluate", "quick_loss"]
