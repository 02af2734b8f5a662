"""L3. A recurrent network of pastforward for transformers 5.24 or later: this file is all its code.

    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
    out = model(input_ids)              # logits of the next token, and the memory after the last
    out = model(more, cache=out.cache)  # goes on from there; a cache is never written to again

The memory has one size however long the sequence. Where `attention_mask` is 0, on either side, a
step leaves it as it is.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.utils.generic import ModelOutput

from pastforward.inference.export.hf_cells import CELLS


class PastforwardConfig(PreTrainedConfig):
    """Sizes: K slots of width D, embeddings of width E, `readout` hidden units (0: linear)."""

    model_type = "pastforward"
    keys_to_ignore_at_inference = ("cache",)
    cell: str = "GRU"
    dials: dict[str, Any] | None = None
    slots: int = 1
    width: int = 128
    embed: int = 64
    readout: int = 128
    vocab_size: int = 0
    outputs: int = 2
    mean: list[float] | None = None
    std: list[float] | None = None


class Memory(Cache):
    """m `[B, K, D]`."""

    def __init__(self, m: Tensor) -> None:
        super().__init__(layers=[])
        self.m = m

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """None of the past is kept."""
        return 0

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """For beam search."""
        self.m = self.m[beam_idx]


@dataclass
class PastforwardOutput(ModelOutput):
    """Logits `[B, T, V]` of every next token; of classifiers `[B, C]` after the last step."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    cache: Memory | None = None


class PastforwardModel(PreTrainedModel):
    """Embedding, cell, readout and empty memory."""

    config_class = PastforwardConfig
    _is_stateful = True

    def __init__(self, config: PastforwardConfig) -> None:
        super().__init__(config)
        c, tokens = config, config.mean is None
        self.embed = (
            nn.Embedding(c.vocab_size, c.embed) if tokens else nn.Linear(len(c.mean or ()), c.embed)
        )
        self.cell = CELLS[c.cell](c.slots, c.width, c.embed, **(c.dials or {}))
        self.empty = nn.Parameter(torch.zeros(c.slots, c.width))
        read = len(range(c.slots * c.width)[self.cell.visible])
        self.readout = nn.Linear(read, c.outputs)
        if c.readout:
            up, down = nn.Linear(read, c.readout), nn.Linear(c.readout, c.outputs)
            self.readout = nn.Sequential(up, nn.SiLU(), down)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Of tokens."""
        return self.embed

    def memories(self, e: Tensor, cache: Memory | None, mask: Tensor | None) -> list[Tensor]:
        """m_1..m_T from embedded inputs `[B, T, E]`, after the cache or the empty memory."""
        m = self.cell.normalise(self.empty).expand(len(e), -1, -1) if cache is None else cache.m
        found, steps = [], e.shape[1]
        kept = None if mask is None else mask[:, -steps:, None, None].bool()
        for t in range(steps):
            after = self.cell(m, e[:, t])
            m = after if kept is None else torch.where(kept[:, t], after, m)
            found.append(m)
        return found

    def read(self, m: Tensor) -> Tensor:
        """Memories `[..., K, D]` to logits."""
        return self.readout(m.flatten(-2)[..., self.cell.visible])

    def embedded(self, input_ids: Tensor, mask: Tensor | None) -> Tensor:
        """Padding may be a token that has no embedding."""
        if mask is not None:
            input_ids = input_ids * mask[:, -input_ids.shape[1] :]
        return self.embed(input_ids)


class PastforwardForCausalLM(PastforwardModel, GenerationMixin):
    """Tokens to logits of the next."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None,
        cache: Memory | None = None, use_cache: bool | None = None, labels: Tensor | None = None,
        logits_to_keep: int = 0, past_key_values: Memory | None = None, **kwargs: Any,
    ) -> PastforwardOutput:  # fmt: skip
        """`input_ids` are those after the cache (by its old name `past_key_values`).

        `labels` are the same tokens, -100 where none counts.
        """
        cache = past_key_values if cache is None else cache
        found = self.memories(self.embedded(input_ids, attention_mask), cache, attention_mask)
        logits = self.read(torch.stack(found[-logits_to_keep:], 1))
        loss = None if labels is None else F.cross_entropy(
            logits[:, :-1].transpose(1, 2), labels[:, 1:]
        )  # fmt: skip
        after = None if use_cache is False else Memory(found[-1])
        return PastforwardOutput(loss, logits, after)


class PastforwardForSequenceClassification(PastforwardModel):
    """Tokens, or vectors `[B, T, C]` in the units of the data, to logits of classes at the end."""

    def forward(
        self, input_ids: Tensor | None = None, input_values: Tensor | None = None,
        attention_mask: Tensor | None = None, cache: Memory | None = None,
        labels: Tensor | None = None, **kwargs: Any,
    ) -> PastforwardOutput:  # fmt: skip
        """`labels`: classes `[B]`, or 0.0 and 1.0 `[B, C]` of several at once."""
        if input_values is not None:  # in double precision, as means may be large
            mean, std = (input_values.new_tensor(v, dtype=torch.double)
                         for v in (self.config.mean, self.config.std))  # fmt: skip
            e = self.embed(((input_values.double() - mean) / std).to(self.empty.dtype))
        elif input_ids is not None:
            e = self.embedded(input_ids, attention_mask)
        else:
            raise ValueError("Give input_ids of tokens, or input_values of vectors.")
        m = self.memories(e, cache, attention_mask)[-1]
        logits, loss = self.read(m), None
        if labels is not None:
            several = self.config.problem_type == "multi_label_classification"
            measure = F.binary_cross_entropy_with_logits if several else F.cross_entropy
            loss = measure(logits, labels)
        return PastforwardOutput(loss, logits, Memory(m))
