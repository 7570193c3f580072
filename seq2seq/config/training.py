"""Settings of training and of search."""

from typing import Annotated, Literal

from pydantic import Field, Strict, model_validator

from seq2seq.config.base import Count, Part, Seed, Settings


class PlainSchedule(Settings):
    """Linear warm-up, then proportional to 1 / sqrt(step) (inverse_root: Vaswani et al. 2017, section 5.3), or constant."""

    kind: Literal["inverse_root", "constant"] = "inverse_root"


class FallingSchedule(Settings):
    """Linear warm-up, then down to `final` at max_steps: linear, or half a cosine (Loshchilov and Hutter 2017, equation 5)."""

    kind: Literal["linear", "cosine"]
    """Shape of the fall."""
    final: float = Field(default=0.0, ge=0, le=1)
    """Fraction of the learning rate that is left at the end, 0 to 1."""


class PlateauSchedule(Settings):
    """Linear warm-up, then constant, lowered whenever validation has stopped improving; ends the run when that is of no use.

    Torch's `ReduceLROnPlateau` with a last step: a run that would be lowered once more than `reductions` times is finished.
    """

    kind: Literal["plateau"] = "plateau"
    factor: float = Field(default=0.5, gt=0, lt=1)
    """What the learning rate is multiplied by, 0 to 1."""
    patience: int = Field(default=2, ge=1)
    """Validations in a row without improvement before it is, >= 1."""
    threshold: float = Field(default=0.0, ge=0)
    """Smallest improvement over the best that counts, >= 0, in the unit of training.best_by: nats a token, or BLEU."""
    reductions: int = Field(default=4, ge=0)
    """Times it is lowered, at most, >= 0."""


ScheduleSettings = Part[PlainSchedule | FallingSchedule | PlateauSchedule]


class _PretrainingSettings(Settings):
    steps: Count = 1000
    """Updates, >= 1, the first of `max_steps`: its updates, tokens and time count in every budget. The optimiser, warm-up and
    schedule begin anew after them; the schedule ends each time where its updates do."""


class MaskedSettings(_PretrainingSettings):
    """The encoder learns to say tokens of the source language that are hidden (Devlin et al. 2019, arXiv:1810.04805)."""

    kind: Literal["masked"] = "masked"
    mask_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of a sentence's subwords to be said, at least one, 0 to 1. Of these 80 % are replaced by the unknown subword, 10 %
    by a random one, and 10 % stay (section 3.1 and appendix A.1)."""
    next_sentence: bool = False
    """Read two sentences, end of sentence between them, and say there whether the second follows the first in the corpus, as it
    does in half of the cases; of use where sentences of a corpus follow each other."""


class CausalSettings(_PretrainingSettings):
    """The decoder, or a decoder-only stack, learns the target language without a source (Radford et al. 2018: GPT)."""

    kind: Literal["causal"] = "causal"


PretrainingSettings = Part[MaskedSettings | CausalSettings]

DecayRate = Annotated[float, Strict(), Field(ge=0, lt=1)]


class TrainingSettings(Settings):
    """Training: length, rate, checks."""

    seeds: tuple[Seed, ...] = (1,)
    """One run for each seed, 0 to 2**63 - 1: the unit of replication."""
    max_steps: Count = 2000
    """Optimiser updates, >= 1."""
    max_target_tokens: Count | None = None
    """Stop after this many real target tokens; None for no such limit."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Stop after this much training time, minutes; None for no limit. Under this one limit runs do not repeat exactly."""
    pretrain: PretrainingSettings | None = None
    """Warm start: train a part of the model on the text of one side first; None starts from random weights. All training text
    is used for it, whatever `data.parallel_pairs` says."""
    batch_tokens: Count = 4096
    """Real target tokens in a batch (end of sentence counted), at most."""
    accumulate: Count = 1
    """Batches whose gradients are added up for one update, >= 1."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019)."""
    betas: tuple[DecayRate, DecayRate] = (0.9, 0.98)
    """Decay rates of Adam's two moments, each 0 to below 1."""
    epsilon: float = Field(default=1e-9, ge=1e-20, le=1)
    """Adam's epsilon, 1e-20 to 1."""
    weight_decay: float = Field(default=0.0, ge=0, le=1000)
    """AdamW's decoupled weight decay, 0 to 1000; must be 0 for adam."""
    learning_rate: float = Field(default=1e-3, gt=0, le=100)
    """Peak learning rate, above 0, at most 100."""
    schedule: ScheduleSettings = PlainSchedule()
    """What follows the warm-up."""
    warmup_steps: int = Field(default=200, ge=0, le=10**12)
    """Updates over which the learning rate rises linearly, >= 0; a linear or cosine schedule must not end before that, unless
    `--set training.max_steps` cuts a trial run short."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of the target distribution spread over the vocabulary (Szegedy et al. 2016, section 7), 0 to 1."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Largest global gradient norm, > 0."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of matmuls; auto: the fastest on this machine, measured for the study's first run; parameters and sums stay fp32."""
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=4096)] = "auto"
    """Threads of a run on a CPU, >= 1; auto: the cores shared out among runs side by side. Kept when a run is resumed."""
    validate_every: Count = 500
    """Updates between validations, >= 1."""
    validation_bleu_sentences: int = Field(default=200, ge=0, le=10**12)
    """Sentences of the validation split translated greedily at each validation; 0 for none. BLEU is counted with the
    study's `evaluation.tokenizer`."""
    best_by: Literal["loss", "bleu"] = "loss"
    """What makes a checkpoint the best."""
    patience: Count | None = None
    """Stop after this many validations without improvement; None never stops early."""
    save_every: Count = 500
    """Updates between checkpoints, >= 1."""
    average_last: int = Field(default=0, ge=0, le=1000)
    """Average the weights of the last so many validations, and evaluate the average if it validates better than the best one; 0
    evaluates the best one."""
    log_every: Count = 50
    """Updates between log lines, >= 1."""
    non_finite: Literal["stop", "skip"] = "stop"
    """What to do with a loss or gradient that is not finite: stop and keep everything, or leave the batch out, counted."""
    halve_on_oom: bool = False
    """When memory runs out, split the batch in two and continue (same gradient), instead of stopping with advice."""
    shard: Literal["none", "optimizer", "full"] = "none"
    """What several processes share out: nothing, the optimiser's state (ZeRO 1), or weights and gradients too (FSDP)."""
    deterministic: bool = False
    """Ask an accelerator for deterministic kernels (a CPU always is)."""
    compile: Literal["auto", "never", "always"] = "auto"
    """torch.compile the forward pass of training, on an accelerator only; auto leaves recurrent models alone."""

    @model_validator(mode="after")
    def _options_apply(self) -> "TrainingSettings":
        if self.weight_decay and self.optimizer != "adamw":
            raise ValueError("weight_decay applies to optimizer adamw only")
        if self.best_by == "bleu" and not self.validation_bleu_sentences:
            raise ValueError(
                "best_by: bleu needs translations to score, and validation_bleu_sentences is 0; set it to 200, or best_by: loss"
            )
        if self.pretrain is not None and self.pretrain.steps >= self.max_steps:
            raise ValueError(
                f"pretrain.steps {self.pretrain.steps} are the first of max_steps {self.max_steps}, so that none is left to "
                "learn to translate; lower pretrain.steps or raise max_steps"
            )
        if len(set(self.seeds)) != len(self.seeds) or not self.seeds:
            raise ValueError(f"seeds must be distinct and at least one, not {list(self.seeds)}")
        return self


class SearchSettings(Settings):
    """Search for translations."""

    beam: int = Field(default=5, ge=1, le=1000)
    """Hypotheses kept a sentence, 1 to 1000; 1 is greedy search."""
    length_penalty: float = Field(default=1.0, ge=0, le=10)
    """Exponent alpha, 0 to 10: scores are divided by ((5 + length) / 6) ** alpha (Wu et al. 2016, equation 14); 0 for none."""
    max_ratio: float = Field(default=2.0, gt=0, le=1000)
    """Longest hypothesis as a multiple of the source length, in subwords, up to 1000; reaching it counts as a truncation."""
    max_extra: int = Field(default=10, ge=0, le=65_536)
    """Subwords, 0 to 65,536, on top of max_ratio x source length; a model with learned positions also stops at their end."""
    batch_tokens: Count = 4096
    """Padded source subwords x beam in a batch, at most."""
