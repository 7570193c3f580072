"""From settings to parts: attentions, their scores, fixed contexts, self-attention and positions."""

from typing import Any, Unpack, cast

from torch import nn

from seq2seq.attention.attention import Attention, Projections
from seq2seq.attention.custom import build_custom, load_score
from seq2seq.attention.fixed import FIXED, FixedContext, NoContext, StateContext
from seq2seq.attention.gates import HeadGates
from seq2seq.attention.mechanisms import PATTERNS, LinearAttention, LinformerAttention, LshAttention, SelfAttention
from seq2seq.attention.normalisers import NORMALISERS
from seq2seq.attention.positions import (
    AbsolutePositions,
    AlibiRelation,
    LearnedPositions,
    Relation,
    RelativeRelation,
    RotaryRelation,
    SinusoidalPositions,
)
from seq2seq.attention.scales import SCALES, NoScale
from seq2seq.attention.scores import SCORES, GatedScore, ProductScore, Score
from seq2seq.attention.scores.base import Sizes
from seq2seq.attention.windows import WINDOWS
from seq2seq.config.attention import (
    AttentionSettings,
    CustomSettings,
    FixedSettings,
    GatedSettings,
    HierarchicalSettings,
    MemberSettings,
    NoneSettings,
)
from seq2seq.config.base import Settings
from seq2seq.config.errors import UserError
from seq2seq.config.transformer import (
    LearnedPositionsSettings,
    LinformerMechanismSettings,
    LshMechanismSettings,
    PositionSettings,
    RelativePositionsSettings,
    StackSettings,
)


def build_attention(
    settings: AttentionSettings,
    *,
    query_size: int,
    memory_size: int,
    summary_size: int,
    projected: bool = False,
    context_size: int | None = None,
) -> Attention | FixedContext:
    """Make the attention, or the fixed context, that the settings describe.

    With one head and projected=False it is the formula of the paper on the raw query and memory, and a projection appears
    only where sizes differ. With more heads, or projected=True, it is Vaswani et al. 2017, section 3.2.2: each head compares
    in attention_size / H features (their d_k) and mixes values of context_size / H features (their d_v).

    Args:
        settings: the parts.
        query_size: features of a query, > 0.
        memory_size: features of the memory, > 0.
        summary_size: features of the encoder's fixed vector, > 0.
        projected: project query, key, value and output even for one head, as a Transformer does.
        context_size: features of a context; None for those of the memory (of the summary for `none`).

    Raises:
        UserError: the heads do not divide the features, or a custom score cannot be had or needs steps.
    """
    score, heads = settings.score, settings.heads
    if isinstance(score, FixedSettings):
        return build_fixed(
            settings, memory_size=memory_size, summary_size=summary_size, projected=projected, context_size=context_size
        )
    out = context_size or memory_size
    sizes, projections = _plan(settings, score_classes(score), projected, query=query_size, memory=memory_size, context=out)
    made = build_score(score, **sizes)
    if projected and made.reads_past:  # a custom score; the settings refuse the others
        raise UserError(
            f"model.attention.score: {type(made).__name__} reads the weights of the step before, and a Transformer computes "
            "all steps at once; use decoder.kind: rnn"
        )
    if isinstance(settings.normaliser, HierarchicalSettings) and (made.reads_past or not made.position_blind):  # custom as well
        raise UserError(
            f"model.attention.score: {type(made).__name__} cannot compare a query with a segment as with a token, which "
            "normaliser: hierarchical does"
        )
    # `scaled` divides by sqrt(d) itself, so that it can be a member of a mixture as well
    scale = NoScale if score.kind == "scaled" else SCALES[settings.scale.kind]
    return Attention(
        score=made,
        scale=scale(heads=heads, width=made.width),
        normaliser=NORMALISERS[settings.normaliser.kind](**options(settings.normaliser)),
        window=WINDOWS[settings.window.kind](heads=heads, query_size=sizes["query_size"], **options(settings.window)),
        projections=projections,
        heads=heads,
        context_size=out,
        dropout=settings.dropout,
        gates=None if settings.gates is None else HeadGates(heads=heads, penalty=settings.gates.penalty),
    )


def _plan(
    settings: AttentionSettings, scores: list[type[Score]], projected: bool, *, query: int, memory: int, context: int
) -> tuple[Sizes, Projections]:
    """Choose the projections around a score, for a query of q features, a memory of m, a context of c and A compared.

    | when                                              | query  | key    | value  | output | score gets |
    |---------------------------------------------------|--------|--------|--------|--------|------------|
    | several heads, or projected                       | q to A | m to A | m to c | c to c | A/H, A/H   |
    | attention_size, for a score without its own space | q to A | m to A |        | m to c | A, A       |
    | q and m differ for a score that needs them equal  | q to m |        |        | m to c | m, m       |
    | else                                              |        |        |        | m to c | q, m       |

    In the last three the output is projected only if m and c differ. No key is made for a score that reads no memory.
    """
    heads, compared = settings.heads, settings.attention_size or query
    reads_memory = any(score.reads_memory for score in scores)
    if projected or heads > 1:
        _check_heads(heads, compared, "the comparison (attention_size, or those of the query)")
        _check_heads(heads, context, "the context (those of the memory, unless the decoder asks for others)")
        size = compared // heads
        return Sizes(heads=heads, query_size=size, memory_size=size, attention_size=size), Projections(
            query=_linear(query, compared),
            key=_linear(memory, compared) if reads_memory else None,
            value=_linear(memory, context),
            output=_linear(context, context),
        )
    query_proj, key_proj, query_size, memory_size = None, None, query, memory
    if settings.attention_size and not any(score.own_space for score in scores):
        query_size = memory_size = compared
        key_proj = _linear(memory, compared) if reads_memory else None
        query_proj = _linear(query, compared)
    elif query != memory and any(score.equal_sizes for score in scores):
        query_size = memory
        query_proj = _linear(query, memory)
    output_proj = _linear(memory, context) if context != memory else None
    sizes = Sizes(heads=heads, query_size=query_size, memory_size=memory_size, attention_size=compared)
    return sizes, Projections(query=query_proj, key=key_proj, output=output_proj)


def _check_heads(heads: int, features: int, owner: str) -> None:
    if features % heads:
        raise UserError(
            f"model.attention.heads: {heads} heads cannot share out the {features} features of {owner}; "
            f"choose a number of heads that divides {features}"
        )


def _linear(in_features: int, out_features: int) -> nn.Linear:
    return nn.Linear(in_features, out_features, bias=False)


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


def build_score(settings: MemberSettings | GatedSettings, **sizes: Unpack[Sizes]) -> Score:
    """Make a score for heads of these sizes; see `Score`."""
    if isinstance(settings, GatedSettings):
        return GatedScore(members=[build_score(member, **sizes) for member in settings.members], **sizes)
    if isinstance(settings, CustomSettings):
        return build_custom(settings, **sizes)
    return SCORES[settings.kind](**sizes, **options(settings))


def build_fixed(
    settings: AttentionSettings, *, memory_size: int, summary_size: int, projected: bool, context_size: int | None
) -> FixedContext:
    """Make the fixed context that is the score of these settings; arguments as of `build_attention`.

    `none` and `mean` project nothing unless another size is asked for, `none-state` has no features; `uniform` always has the
    value and output matrices of an attention; the other controls have them where the attention they stand for would, in a
    Transformer.
    """
    score, dropout = settings.score, settings.dropout
    if isinstance(score, NoneSettings):
        return NoContext(summary_size=summary_size, context_size=context_size or summary_size)
    if score.kind == "none-state":
        return StateContext()
    has_values = score.kind == "uniform" or (projected and score.kind != "mean")
    value_size = (context_size or memory_size) if has_values else None
    return FIXED[score.kind](
        memory_size=memory_size, context_size=context_size, value_size=value_size, dropout=dropout, **options(score)
    )


def build_self_attention(settings: StackSettings, *, causal: bool) -> SelfAttention:
    """Build the self-attention of one layer of a stack; with `causal` a position sees only itself and those before it."""
    attention, mechanism, size = settings.self_attention, settings.self_attention.mechanism, settings.hidden_size
    if mechanism.kind == "linear":
        return LinearAttention(hidden_size=size, heads=attention.heads, causal=causal)
    common = {"hidden_size": size, "heads": attention.heads, "dropout": attention.dropout, **options(mechanism)}
    if isinstance(mechanism, LinformerMechanismSettings):
        return LinformerAttention(**common)
    if isinstance(mechanism, LshMechanismSettings):
        return LshAttention(causal=causal, **common)
    built = build_attention(attention, query_size=size, memory_size=size, summary_size=size, projected=True, context_size=size)
    comparison = cast("Attention", built)  # the settings of self-attention know no fixed context
    # relations meet the query as a product of it and the keys does, other scores as they are given it
    is_product = isinstance(comparison.score, ProductScore)
    compared = comparison.score.width if is_product else (attention.attention_size or size) // attention.heads
    relation = build_relation(settings, compared=compared)
    return PATTERNS[mechanism.kind](attention=comparison, relation=relation, causal=causal, **options(mechanism))


def build_relation(settings: StackSettings, *, compared: int) -> Relation:
    """Build what self-attention itself knows of positions (nothing if they are embedded); heads compare so many features."""
    positions, heads = settings.positions, settings.self_attention.heads
    if isinstance(positions, RelativePositionsSettings):
        return RelativeRelation(head_size=compared, value_size=settings.hidden_size // heads, **options(positions))
    if positions.kind == "rope":
        return RotaryRelation(head_size=compared)
    return AlibiRelation(heads=heads) if positions.kind == "alibi" else Relation()


def build_absolute_positions(settings: PositionSettings, *, embedding_size: int) -> AbsolutePositions | None:
    """Build what is added to the embeddings; None if self-attention knows of positions itself, or nothing does."""
    if isinstance(settings, LearnedPositionsSettings):
        return LearnedPositions(embedding_size=embedding_size, max_positions=settings.max_positions)
    return SinusoidalPositions(embedding_size=embedding_size) if settings.kind == "sinusoidal" else None
