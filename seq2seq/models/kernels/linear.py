"""Linear layers laid out for products of few rows, as decoding makes them."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn import functional


class _DecodingLinear(nn.Module):
    """The same map as a layer, with the weight (out, in) lying column by column.

    Given a weight that lies row by row, the library turns it round for every product of a few hundred rows; here that is done
    once. The bias is added in place: torch otherwise first writes it to every row of the result.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().t().contiguous().t(), requires_grad=False)
        self.bias = layer.bias

    def forward(self, features: Tensor) -> Tensor:
        product = functional.linear(features, self.weight)
        return product if self.bias is None else product.add_(self.bias)


@contextmanager
def decoding_layout(model: nn.Module) -> Iterator[None]:
    """Replace every nn.Linear on a CPU meanwhile; no gradients until then."""
    places = [
        (parent, name, layer)
        for parent in model.modules()
        for name, layer in parent.named_children()
        if type(layer) is nn.Linear and layer.weight.device.type == "cpu"
    ]
    try:
        for parent, name, layer in places:
            setattr(parent, name, _DecodingLinear(layer))
        yield
    finally:
        for parent, name, layer in places:
            setattr(parent, name, layer)
