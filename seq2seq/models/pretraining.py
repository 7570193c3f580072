"""Warm starts: a model of which one part is trained on the text of one side, behind the interface of teacher forcing."""

from typing import Any

from torch import Tensor, nn

from seq2seq.attention.described import Described
from seq2seq.models.interface import DecoderOutput, EncoderDecoder, Memory, Model
from seq2seq.models.output import build_output


class PretrainedModel(Described, Model):
    """A model before it learns to translate; `whole` is the model itself, and all other parameters are left behind."""

    def __init__(self, *, whole: Model, output: nn.Linear) -> None:
        super().__init__()
        self.whole = whole
        self.output = output


class MaskedModel(PretrainedModel):
    """p(x_s | x with tokens hidden) = softmax(E LN(gelu(W h_s)) + b), h the encoder's states and E its token vectors.

    W, gelu and LN are the transformation before the output layer in the program of Devlin et al.
    """

    formula = "softmax(E LN(gelu(W h_s)) + b) at hidden tokens s, h the encoder's states, E its token vectors"
    source = "Devlin et al. 2019, arXiv:1810.04805, section 3.1"
    expects = "an encoder that knows the source language from text alone; helps most where pairs are few"

    def __init__(self, *, whole: EncoderDecoder) -> None:
        embedding: Any = whole.encoder.embedding
        table: nn.Embedding = getattr(embedding, "table", embedding)  # positions stand around it, if there are any
        size = table.embedding_dim
        super().__init__(whole=whole, output=build_output(size, table.num_embeddings, table))
        self.transform = nn.Sequential(nn.Linear(whole.encoder.memory_size, size), nn.GELU(), nn.LayerNorm(size))

    def forward(self, source: Tensor, mask: Tensor, inputs: Tensor, need_weights: bool = False) -> DecoderOutput:  # noqa: ARG002
        """Read sources (B, S) with hidden tokens: features (B, S, embedding_size)."""
        return DecoderOutput(features=self.transform(self.whole.encode(source, mask).states), weights=None)


class LanguageModel(PretrainedModel):
    """p(y_t | y_<t): the decoder over a memory of one token whose features are all zero, so that no context says anything.

    Radford et al. (GPT) for a decoder-only stack, where the source is its end alone; Ramachandran et al. for a decoder. What
    reads a context or the source keeps its first parameters, here as there.
    """

    formula = "p(y_t | y_<t) of the decoder, every context zero"
    source = "Radford et al. 2018; Ramachandran et al. 2017, arXiv:1611.02683, section 2.1"
    expects = "fluent output from the first pair on; what the source says is learned from pairs alone"

    def __init__(self, *, whole: Model) -> None:
        super().__init__(whole=whole, output=whole.output)

    def forward(self, source: Tensor, mask: Tensor, inputs: Tensor, need_weights: bool = False) -> DecoderOutput:
        """Run over targets (B, T), bos first."""
        if isinstance(self.whole, EncoderDecoder):
            encoder, rows, dtype = self.whole.encoder, len(source), self.output.weight.dtype
            memory = Memory(
                states=source.new_zeros(rows, 1, encoder.memory_size, dtype=dtype),
                mask=mask.new_ones(rows, 1),
                summary=source.new_zeros(rows, encoder.summary_size, dtype=dtype),
            )
        else:
            memory = self.whole.encode(source, mask)
        return self.whole.decode(memory, inputs, need_weights)


PRETRAINED: dict[str, type[MaskedModel] | type[LanguageModel]] = {"masked": MaskedModel, "causal": LanguageModel}
