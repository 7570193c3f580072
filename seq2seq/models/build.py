"""From settings and vocabulary sizes to a model: the only place, with build_attention, where models meet settings."""

from torch import nn

from seq2seq.attention.build import build_absolute_positions, build_attention
from seq2seq.config.attention import AttentionSettings
from seq2seq.config.base import Settings
from seq2seq.config.model import (
    ConvEncoderSettings,
    EncoderDecoderSettings,
    EncoderSettings,
    ImageEncoderSettings,
    ModelSettings,
    RnnDecoderSettings,
    RnnEncoderSettings,
)
from seq2seq.config.transformer import DecoderOnlySettings, TransformerDecoderSettings, TransformerEncoderSettings
from seq2seq.corpus.images import SIDE
from seq2seq.models.convolutional import ConvEncoder
from seq2seq.models.decoder_only import build_decoder_only
from seq2seq.models.embedding import RECURRENT_SPREAD, PositionedEmbedding, source_table, token_table
from seq2seq.models.image import ImageEncoder
from seq2seq.models.interface import Decoder, Encoder, EncoderDecoder, Model
from seq2seq.models.limits import find_limits
from seq2seq.models.output import build_output
from seq2seq.models.rnn import RnnDecoder, RnnEncoder
from seq2seq.models.transformer import build_transformer_decoder, build_transformer_encoder


def build_model(settings: ModelSettings, *, source_vocabulary: int, target_vocabulary: int) -> Model:
    """Build a model with fresh weights.

    Args:
        settings: which parts, of which sizes.
        source_vocabulary: number of source subwords.
        target_vocabulary: V, number of target subwords.

    Raises:
        ValueError: tied embeddings over vocabularies of different sizes.
        UserError: a picture of more cells than the bridge can read.
    """
    if isinstance(settings, DecoderOnlySettings):
        return build_decoder_only(settings, source_vocabulary=source_vocabulary, target_vocabulary=target_vocabulary)
    target = token_table(target_vocabulary, settings.decoder.embedding_size, _spread(settings.decoder))
    encoding = settings.encoder
    source = source_table(target, settings.tie, source_vocabulary, encoding.embedding_size, _spread(encoding))
    encoder = _build_encoder(encoding, source)
    decoder = _build_decoder(settings, encoder, target)
    output = build_output(decoder.output_size, target_vocabulary, None if settings.tie == "none" else target)
    model = EncoderDecoder(encoder=encoder, decoder=decoder, output=output)
    find_limits(model)  # a memory of one length that the bridge cannot read is refused before anything is made of it
    return model


def _spread(settings: Settings) -> float:
    return RECURRENT_SPREAD if isinstance(settings, RnnEncoderSettings | RnnDecoderSettings) else 1.0


def _build_encoder(settings: EncoderSettings, source: nn.Embedding) -> Encoder:
    if isinstance(settings, TransformerEncoderSettings):
        return build_transformer_encoder(settings, embedding=source)
    given = settings.model_dump(exclude={"kind", "embedding_size", "positions"})
    if isinstance(settings, ConvEncoderSettings):
        positions = build_absolute_positions(settings.positions, embedding_size=settings.embedding_size)
        return ConvEncoder(embedding=PositionedEmbedding(table=source, positions=positions, dropout=settings.dropout), **given)
    if isinstance(settings, ImageEncoderSettings):
        return ImageEncoder(embedding=source, side=SIDE, **given)
    return RnnEncoder(embedding=source, **given)


def _build_decoder(settings: EncoderDecoderSettings, encoder: Encoder, target: nn.Embedding) -> Decoder:
    decoder = settings.decoder
    if isinstance(decoder, TransformerDecoderSettings):
        return build_transformer_decoder(
            decoder,
            settings.attention,
            embedding=target,
            memory_size=encoder.memory_size,
            summary_size=encoder.summary_size,
        )
    return _build_rnn_decoder(decoder, settings.attention, encoder, target, tied=settings.tie != "none")


def _build_rnn_decoder(
    settings: RnnDecoderSettings, attention: AttentionSettings, encoder: Encoder, target: nn.Embedding, tied: bool
) -> RnnDecoder:
    bridge = build_attention(
        attention, query_size=settings.hidden_size, memory_size=encoder.memory_size, summary_size=encoder.summary_size
    )
    return RnnDecoder(
        embedding=target,
        attention=bridge,
        summary_size=encoder.summary_size,
        output_size=settings.embedding_size if tied else settings.hidden_size,
        **settings.model_dump(exclude={"kind", "embedding_size"}),
    )
