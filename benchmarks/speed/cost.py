"""Multiplications (MACs) of a forward pass, counted, per step of a sequence.

A backward pass takes twice as many again. Norms, activations and copies move bytes and multiply
little; on a CPU they take a third to a half of the time.
"""

from pastforward.scan import chunk_length
from pastforward.student import Student


def block_macs(seen: float, width: int) -> float:
    """A Transformer block at one position that attends to `seen` positions."""
    return 12 * width**2 + 2 * seen * width


def encoder_macs(length: int, width: int, depth: int, slots: int) -> float:
    """Transformer and register head per target memory, where one causal pass gives those of all t.

    Without slots: the Transformer and the projections of one register.
    """
    seen = (length + 1) / 2
    head = width**2 * (3 + slots * (1 + 4 + 1)) + 2 * slots * seen * width
    return depth * block_macs(seen, width) + head


def recurrence_macs(length: int, width: int, size: int) -> float:
    """A chunked diagonal recurrence of `size` numbers: a 2 x 2 product per pair and step."""
    return width * size + 2 * chunk_length(length) * size


def window_macs(window: int, width: int, depth: int, slots: int) -> float:
    """One target memory of the window encoder: a pass over the window and K registers."""
    positions = window + slots
    return positions * depth * block_macs(positions, width) + slots * width**2


def decoder_macs(future: int, tokens: int, width: int, depth: int) -> float:
    """The future of one anchor."""
    positions = future + tokens
    return positions * depth * block_macs(positions / 2, width)


def student_macs(student: Student) -> float:
    """One step and its readout: every weight of a matrix multiplies once a token it is used on."""
    matrices = [
        (name, p) for name, p in student.named_parameters() if p.dim() == 2 and "places" not in name
    ]
    uses = student.memory.slots + 1  # a Transformer cell runs over K + 1 tokens
    return sum(
        p.numel() * (uses if ".blocks." in name else 1)
        for name, p in matrices
        if not name.startswith(("embed", "empty"))
    )


def weight_bytes(student: Student) -> int:
    """What a streamed step reads from memory at least: all weights of cell and readout."""
    parts = [*student.cell.parameters(), *student.readout.parameters()]
    return sum(p.numel() * p.element_size() for p in parts)
