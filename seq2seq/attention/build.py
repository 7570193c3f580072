"""From settings to parts: scores and fixed contexts. The composition of parts is `attention.build_attention`."""

from typing import Any

from seq2seq.attention.custom import build_custom, load_score
from seq2seq.attention.fixed import FIXED, FixedContext, NoContext, StateContext
from seq2seq.attention.scores import SCORES, GatedScore, Score
from seq2seq.config.attention import (
    CustomSettings,
    FixedSettings,
    GatedSettings,
    MeanSettings,
    MemberSettings,
    NoneSettings,
    StateOnlySettings,
    UniformSettings,
)
from seq2seq.config.base import Settings


def options(settings: Settings) -> dict[str, Any]:
    """The keyword arguments that a part's settings stand for: all but its name."""
    return settings.model_dump(exclude={"kind"})


def score_classes(settings: MemberSettings | GatedSettings) -> list[type[Score]]:
    """The class of a score, or the classes of the members of a mixture."""
    if isinstance(settings, GatedSettings):
        return [found for member in settings.members for found in score_classes(member)]
    if isinstance(settings, CustomSettings):
        return [load_score(settings.path)]
    return [SCORES[settings.kind]]


def build_score(
    settings: MemberSettings | GatedSettings, *, heads: int, query_size: int, memory_size: int, attention_size: int
) -> Score:
    """Make a score for heads of these sizes; see `Score`."""
    sizes = {"heads": heads, "query_size": query_size, "memory_size": memory_size, "attention_size": attention_size}
    if isinstance(settings, GatedSettings):
        return GatedScore(members=[build_score(member, **sizes) for member in settings.members], **sizes)
    if isinstance(settings, CustomSettings):
        return build_custom(settings, **sizes)
    return SCORES[settings.kind](**sizes, **options(settings))


def build_fixed(
    settings: FixedSettings,
    *,
    memory_size: int,
    summary_size: int,
    projected: bool = False,
    context_size: int | None = None,
    dropout: float = 0.0,
) -> FixedContext:
    """Make a fixed context.

    `none` and `mean` project nothing unless another size is asked for, `none-state` has no features; `uniform` always has the
    value and output matrices of an attention; the other controls have them where the attention they stand for would, in a
    Transformer.
    """
    if isinstance(settings, NoneSettings):
        return NoContext(summary_size=summary_size, context_size=context_size or summary_size)
    if isinstance(settings, StateOnlySettings):
        return StateContext()
    has_values = isinstance(settings, UniformSettings) or (projected and not isinstance(settings, MeanSettings))
    value_size = (context_size or memory_size) if has_values else None
    return FIXED[settings.kind](
        memory_size=memory_size, context_size=context_size, value_size=value_size, dropout=dropout, **options(settings)
    )
