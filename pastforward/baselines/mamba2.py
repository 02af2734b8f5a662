"""L2. Mamba-2 (Dao & Gu 2024) as in the library `transformers`, an optional extra."""

from importlib import import_module
from typing import final

from torch import Tensor, nn
from typing_extensions import override

from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Baseline
from pastforward.errors import UsageError
from pastforward.types import Signature

_HEAD = 16
"""Width of a head; the inner width is twice the outer one, so 8 must divide the outer one."""
_STATE, _CHUNK = 32, 64


@final
class Mamba2(Baseline):
    """`Mamba2Model` between embedding and readout."""

    def __init__(self, signature: Signature, config: BaselineConfig) -> None:
        """Raises `UsageError` where the library is not installed."""
        super().__init__(signature, config)
        try:
            library = import_module("transformers")
        except ImportError as error:
            raise UsageError(
                f"The baseline 'mamba2' needs the library transformers, which can't be imported "
                f"({error}); get it with: pip install 'pastforward[mamba]'."
            ) from error
        sizes = library.Mamba2Config(
            vocab_size=1, hidden_size=self.width, num_hidden_layers=config.depth,
            expand=2, head_dim=_HEAD, num_heads=2 * self.width // _HEAD, state_size=_STATE,
            n_groups=1, chunk_size=_CHUNK, use_cache=False,
            pad_token_id=None, bos_token_id=None, eos_token_id=None,
        )  # fmt: skip
        self.model = library.Mamba2Model(sizes)
        self.model.set_input_embeddings(nn.Identity())  # inputs come embedded

    @override
    def features(self, e: Tensor) -> Tensor:
        return self.model(inputs_embeds=e).last_hidden_state
