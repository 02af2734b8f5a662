"""L0. Every dial of a run, as frozen dataclasses. Imports no torch, so that --help answers at once.

RunConfig
  data      DataConfig      what is read
  student   StudentConfig   what ships
  teacher   TeacherConfig   what labels, then is discarded
  smt, dmt  SMTConfig, DMTConfig   weights of the losses
  fit       FitConfig       batch, optimiser, schedule
  budget    Budget          how long, shared out over the
  stages    Stage, ...      methods, in order
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DataConfig:
    """What is read."""

    source: str = "digits"
    """A name (digits, pydoc, copy:32, key_values:128,pairs=8, hf:NAME) or a path to a file or
    folder."""
    length: int | None = None
    """T, steps in a sequence; chosen from the data when not given."""
    unit: str = "auto"
    """Text as 'bytes' or 'chars'; 'auto' takes chars when there are at most 128 of them."""
    levels: int = 16
    """Grey levels that images are quantised to."""
    pool: int = 1
    """Factor by which images are averaged down in each direction."""
    columns: tuple[str, ...] = ()
    """Columns of a CSV file; all when not given."""


@dataclass(frozen=True)
class StudentConfig:
    """The recurrent network that ships."""

    cell: str = "mlp"
    """elman, gru, lstm, mlp or transformer; with --method parallel a peer instead: s4d, mingru, mamba2
    or attention."""
    slots: int = 1
    """K, memory slots (an LSTM needs 2, for h and c)."""
    width: int = 128
    """D, width of a slot."""
    embed: int = 64
    """E, width of an embedded input."""
    hidden: int = 128
    """Hidden units of the readout."""
    scale: float = 1.0
    """Memory scale of elman, gru and lstm: root-mean-square of a memory inside their tanh. At 0.1 a
    tanh is nearly straight, so that they can turn a memory as a linear recurrence does."""
    like: str = "mlp"
    """For a peer: the cell of the student whose parameters it matches in number."""


@dataclass(frozen=True)
class TeacherConfig:
    """Encoder and decoder, discarded after training."""

    encoder: str = "linear"
    """'linear' (a linear recurrence over causal states), 'registers' (pooled over every prefix),
    'state' (head on the causal state), 'delta' (matrices that inputs turn and rewrite) or 'window'
    (the paper's)."""
    matrices: int | None = None
    """Slots that hold the matrices of a delta memory; the others hold the last input. Half when not
    given."""
    key_dim: int = 4
    """n, rows of each matrix of a delta memory; as many keys are told apart."""
    householder_steps: int = 0
    """Reflections by which an input turns the matrices of a delta memory, for states that every
    input moves: n of them make any turn."""
    initial_decay_time: float = 0.5
    """Steps for which the fastest numbers of a linear memory hold what was read, at the start; the
    slowest hold it for 2 T."""
    width: int = 64
    depth: int = 1
    heads: int = 4
    window: int | None = None
    """Tc, inputs that the window encoder sees; the whole sequence when not given."""
    decoder_depth: int = 1
    decoder_tokens: int | None = None
    """Pieces in which the decoder reads a memory; K, or up to 8 for a memory of one slot."""
    distill_depth: int = 4
    """Blocks of the Transformer that `distill` learns from, of the same width and heads."""
    query_key_scale: float = 1.0
    """Factor on the weights of queries and keys at the start. Attention that begins sharp finds one
    symbol among hundreds sooner."""
    recompute: int | None = None
    """For long sequences: keep the inputs alone and compute layers again on the way back, the
    widest part so many positions at a time. A small part of the memory, more passes."""


@dataclass(frozen=True)
class SMTConfig:
    """Weights of the losses, and how much of each sequence a step uses."""

    future: int | None = None
    """F, outputs decoded from each anchor; the whole sequence when not given."""
    anchors: int = 2
    """Memories per sequence that decode their future, among those whose next F outputs count."""
    transitions: int | None = None
    """One-step transitions per sequence; all T when not given."""
    decoding: float = 1.0
    prediction: float = 1.0
    """Weight of y_t read from every label: decoding at F = 1, at all t."""
    dynamics: float = 1.0
    """Weight of the fraction of the labels' variance that one step leaves unexplained."""
    consistency: float = 0.0
    """Weight of the KL between futures decoded from the label and from the student's memory."""
    readout: float = 1.0
    """Weight of the student's own outputs after one step."""
    uniformity: float = 0.001
    """Weight of what keeps labels apart, by the distances of pairs. Two others, for comparison:"""
    covariance: float = 0.0
    """Weight of variances below 1 and of covariances between the numbers of a label."""
    gaussian: float = 0.0
    """Weight of how far labels are from a standard normal cloud, along random directions."""
    encoder_gradient_scale: float = 1.0
    """Share of the student's gradients that reaches the encoder in joint training."""
    noise: float = 0.0
    """Deviation of Gaussian noise on memories before decoder and cell read them."""


@dataclass(frozen=True)
class DMTConfig:
    """Weights of the losses and the length of a window."""

    window: int = 8
    """k, steps in a window, of tbptt too; at T the whole rollout."""
    on_policy_fraction: float = 1.0
    """Share of windows that start from the student's own memories; the rest start from labels."""
    replay_steps: int = 4
    """Optimiser steps in a row on the same sequences: labels and the student's own memories are
    those of the first, windows are new in each. Stored labels are visited once."""
    dynamics: float = 1.0
    readout: float = 1.0
    distill: float = 0.0
    """Weight of KL from the teacher's prediction at the label to the student's."""


@dataclass(frozen=True)
class FitConfig:
    """Batch, optimiser and schedule, the same for all methods."""

    batch: int = 64
    """B, sequences per optimiser step and rank."""
    accumulate: int = 1
    """Parts that a batch is cut into to save memory; SMT compares memories within a part only."""
    prefix: int | None = None
    """Steps of a sequence that training reads, from the first; all when not given. Where outputs
    tell the state all along, short sequences teach it sooner, by any method. Evaluation takes all.
    """
    optimiser: str = "muon"
    """'muon' (for the matrices of linear maps; AdamW moves the rest) or 'adamw'."""
    weight_decay: float = 0.01
    warmup: int = 50
    """Optimiser steps of linear warm-up."""
    schedule: str = "cosine"
    """'cosine' (to a twentieth) or 'constant', within each stage."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    evaluations: int = 20
    """Held-out evaluations in a run; the student with the best one is kept."""
    compile: str = "auto"
    """'auto' (on an accelerator), 'on' or 'off'."""
    precision: str = "auto"
    """'auto' (bfloat16 where the accelerator has it) or 'float32'."""


@dataclass(frozen=True)
class Budget:
    """How long to train, in exactly one unit."""

    steps: int | None = None
    tokens: int | None = None
    """Sequence positions read."""
    seconds: float | None = None
    """Training time; compilation and evaluation do not count."""

    def __post_init__(self) -> None:
        given = [n for n in (self.steps, self.tokens, self.seconds) if n is not None]
        if len(given) != 1 or given[0] <= 0:
            raise ValueError(
                f"A budget of steps={self.steps}, tokens={self.tokens}, seconds={self.seconds} was "
                "given; give exactly one of them, above 0."
            )

    def part(self, share: float) -> "Budget":
        """A share of this budget, in the same unit."""
        if self.steps is not None:
            return Budget(steps=max(1, round(share * self.steps)))
        if self.tokens is not None:
            return Budget(tokens=max(1, round(share * self.tokens)))
        return Budget(seconds=share * (self.seconds or 0.0))


@dataclass(frozen=True)
class Stage:
    """One method for a share of the budget."""

    method: str
    """teacher, smt, smt-frozen, follow, dmt, dmt-unroll, bptt, tbptt, rtrl, transformer, distill or
    parallel."""
    share: float
    lr: float
    window: int | None = None
    """k of this stage, where it isn't that of --dmt.window."""
    prefix: int | None = None
    """p, steps of each sequence that this stage reads, from the first, of sqrt(T / p) times as many
    sequences. Those of the run when not given."""

    @property
    def name(self) -> str:
        """What a user reads."""
        cut = "" if self.prefix is None else f", prefixes of {self.prefix}"
        return (self.method if self.window is None else f"{self.method} {self.window}") + cut


@dataclass(frozen=True)
class RunConfig:
    """A whole run: `recipes` are functions that return one."""

    data: DataConfig = field(default_factory=DataConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    smt: SMTConfig = field(default_factory=SMTConfig)
    dmt: DMTConfig = field(default_factory=DMTConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    budget: Budget = field(default_factory=lambda: Budget(seconds=120.0))
    stages: tuple[Stage, ...] = (
        Stage("teacher", 0.25, 2e-3),
        Stage("smt", 0.4, 2e-3),
        Stage("dmt", 0.35, 1e-3),
    )
    seed: int = 0
    label_store: str | None = None
    """A folder that `label` wrote; a run then has no teacher."""
