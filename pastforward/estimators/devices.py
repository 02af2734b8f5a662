"""L6. The device that a user names."""

import torch

from pastforward.errors import UsageError


def device_of(name: str | None) -> torch.device:
    """The device of that name; an accelerator where there is one, else the CPU, when None.

    Raises `UsageError` for a name that torch doesn't know.
    """
    if name is None:
        return torch.accelerator.current_accelerator(True) or torch.device("cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"device is {name!r}; give one that torch knows, such as 'cpu' or 'cuda'."
        ) from error
