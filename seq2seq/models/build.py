"""From settings and vocabulary sizes to a model: the only place, with build_attention, where models meet settings."""

from torch import nn

from seq2seq.attention.build import build_absolute_positions, build_attention
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
from seq2seq.models.limits import find_limits
from seq2seq.models.output import build_output
from seq2seq.models.rnn import RnnDecoder, RnnEncoder
from seq2seq.models.transformer import build_transformer_decoder, build_transformer_encoder


def build_model(settings: ModelSettings, *, source_vocabulary: int, target_vocabulary: int) -> Model:
    """Build a model with fresh weights; with `tie: all` the vocabularies, counted in subwords, are one.

    Raises:
        UserError: a picture of more cells than the bridge can read.
    """
    if isinstance(settings, DecoderOnlySettings):
        return build_decoder_only(settings, source_vocabulary=source_vocabulary, target_vocabulary=target_vocabulary)
    encoding, decoding = settings.encoder, settings.decoder
    source = target = token_table(target_vocabulary, decoding.embedding_size, _spread(decoding))
    if settings.tie != "all":
        source = token_table(source_vocabulary, encoding.embedding_size, _spread(encoding))
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
    decoder, memory_size, summary_size = settings.decoder, encoder.memory_size, encoder.summary_size
    if isinstance(decoder, TransformerDecoderSettings):
        return build_transformer_decoder(
            decoder, settings.attention, embedding=target, memory_size=memory_size, summary_size=summary_size
        )
    return RnnDecoder(
        embedding=target,
        attention=build_attention(
            settings.attention, query_size=decoder.hidden_size, memory_size=memory_size, summary_size=summary_size
        ),
        summary_size=summary_size,
        output_size=decoder.hidden_size if settings.tie == "none" else decoder.embedding_size,
        **decoder.model_dump(exclude={"kind", "embedding_size"}),
    )
