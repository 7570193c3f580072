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
from seq2seq.models.embedding import RECURRENT_SPREAD, PositionedEmbedding, token_table
from seq2seq.models.image import ImageEncoder
from seq2seq.models.interface import Decoder, Encoder, EncoderDecoder, Model
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
    """
    if isinstance(settings, DecoderOnlySettings):
        return build_decoder_only(settings, source_vocabulary=source_vocabulary, target_vocabulary=target_vocabulary)
    target = token_table(target_vocabulary, settings.decoder.embedding_size, _spread(settings.decoder))
    source = target
    if settings.tie != "all":
        source = token_table(source_vocabulary, settings.encoder.embedding_size, _spread(settings.encoder))
    if settings.tie == "all" and source_vocabulary != target_vocabulary:
        raise ValueError(
            f"tie: all needs one joint vocabulary, not {source_vocabulary} source and {target_vocabulary} target pieces"
        )
    encoder = _build_encoder(settings.encoder, source)
    decoder = _build_decoder(settings, encoder, target)
    output = build_output(decoder.output_size, target_vocabulary, None if settings.tie == "none" else target)
    return EncoderDecoder(encoder=encoder, decoder=decoder, output=output)


def _spread(settings: Settings) -> float:
    return RECURRENT_SPREAD if isinstance(settings, RnnEncoderSettings | RnnDecoderSettings) else 1.0


def _build_encoder(settings: EncoderSettings, source: nn.Embedding) -> Encoder:
    if isinstance(settings, TransformerEncoderSettings):
        return build_transformer_encoder(settings, embedding=source)
    if isinstance(settings, ConvEncoderSettings):
        positions = build_absolute_positions(settings.positions, embedding_size=settings.embedding_size)
        return ConvEncoder(
            embedding=PositionedEmbedding(table=source, positions=positions, dropout=settings.dropout),
            hidden_size=settings.hidden_size,
            layers=settings.layers,
            width=settings.width,
            dropout=settings.dropout,
        )
    if isinstance(settings, ImageEncoderSettings):
        return ImageEncoder(
            embedding=source,
            side=SIDE,
            hidden_size=settings.hidden_size,
            layers=settings.layers,
            dropout=settings.dropout,
        )
    return RnnEncoder(
        embedding=source,
        cell=settings.cell,
        hidden_size=settings.hidden_size,
        bidirectional=settings.bidirectional,
        layers=settings.layers,
        dropout=settings.dropout,
    )


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
        cell=settings.cell,
        hidden_size=settings.hidden_size,
        output_size=settings.embedding_size if tied else settings.hidden_size,
        layers=settings.layers,
        dropout=settings.dropout,
        placement=settings.placement,
        input_feeding=settings.input_feeding,
    )
