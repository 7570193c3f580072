"""Shares of the weights and of the optimiser's state that each process keeps: everything, its share of the state, or of both.

A checkpoint holds whole tensors whatever is kept where: a run can be resumed with other processes or another way of sharing.
"""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from seq2seq.config.training import TrainingSettings
from seq2seq.models.interface import Model
from seq2seq.models.transformer import TransformerEncoder
from seq2seq.run.checkpoint import load_weights, trainable_state
from seq2seq.run.optimizer import build_optimizer, optimizer_tensors, restore_optimizer
from seq2seq.run.processes import Processes


class Whole:
    """Every process keeps everything; `build` makes the model with its first weights, on the device."""

    uneven = True
    """Whether a process may compute less often than the others, or nothing, in an update."""

    shares_state = False
    """Whether a process keeps the optimiser's state of its share of the weights only."""

    def __init__(self, build: Callable[[], Model], training: TrainingSettings, processes: Processes) -> None:
        self.training, self.processes = training, processes
        self.model = self._place(build)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = build_optimizer(self.parameters, training, shared=self.shares_state)

    def _place(self, build: Callable[[], Model]) -> Model:
        return build()

    def combine_gradients(self) -> None:
        self.processes.sum_gradients(self.parameters)

    def clip(self, largest: float) -> float:
        """Scale gradients to a global norm of at most `largest`; returns the norm before."""
        return float(nn.utils.clip_grad_norm_(self.parameters, largest))

    def evaluation_model(self) -> Model:
        """Return a model that the first process can use on its own; all processes have to ask."""
        return self.model

    def weights(self) -> dict[str, Tensor]:
        """Return whole weights by name; all processes have to ask."""
        return trainable_state(self.model)

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """Return the whole state of the optimiser, in the first process at least; all processes have to ask."""
        return optimizer_tensors(self.optimizer)

    def restore(self, weights: Mapping[str, Tensor], state: dict[str, Tensor], where: str) -> None:
        """Put back what `weights` and `optimizer_tensors` returned."""
        load_weights(self.model, weights, where)
        restore_optimizer(self.optimizer, state)


class OptimizerShards(Whole):
    """Each process keeps the optimiser's state of its share of the weights (Rajbhandari et al. 2020, ZeRO stage 1)."""

    shares_state = True

    def optimizer_tensors(self) -> dict[str, Tensor]:
        self.optimizer.consolidate_state_dict(to=0)
        return optimizer_tensors(self.optimizer) if self.processes.first else {}

    def restore(self, weights: Mapping[str, Tensor], state: dict[str, Tensor], where: str) -> None:
        load_weights(self.model, weights, where)
        ours = self.optimizer.optim
        numbers = {id(parameter): number for number, parameter in enumerate(ours.param_groups[0]["params"])}
        kept = {str(place): numbers.get(id(parameter)) for place, parameter in enumerate(self.parameters)}
        mine = {}
        for name, value in state.items():
            place, _, rest = name.partition(".")
            number = kept.get(place, place)  # a place that is none is refused below
            if number is not None:
                mine[f"{number}.{rest}"] = value
        restore_optimizer(ours, mine)


class FullShards(Whole):
    """Each process keeps its share of weights, gradients and state, gathered layer by layer when needed (ZeRO stage 3)."""

    uneven = False

    def _place(self, build: Callable[[], Model]) -> Model:
        from torch.distributed.fsdp import fully_shard

        self._build = build
        self._evaluation: Model | None = None
        model = build()
        for layer in layers(model):
            fully_shard(layer)
        fully_shard(model)
        return model

    def combine_gradients(self) -> None:
        """The backward pass has averaged them; sums are wanted, since losses are divided by the tokens of all processes."""
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(self.processes.world)

    def clip(self, largest: float) -> float:
        return float(_whole(nn.utils.clip_grad_norm_(self.parameters, largest)))

    def evaluation_model(self) -> Model:
        weights = self.weights()
        if not self.processes.first:
            return self.model
        self._evaluation = self._evaluation or self._build()
        load_weights(self._evaluation, weights, "the gathered weights")
        return self._evaluation

    def weights(self) -> dict[str, Tensor]:
        return {name: _whole(value) for name, value in trainable_state(self.model).items()}

    def optimizer_tensors(self) -> dict[str, Tensor]:
        return {name: _whole(value) for name, value in optimizer_tensors(self.optimizer).items()}

    def restore(self, weights: Mapping[str, Tensor], state: dict[str, Tensor], where: str) -> None:
        ours = trainable_state(self.model)
        load_weights(self.model, {name: _like(value, ours.get(name)) for name, value in weights.items()}, where)
        parameters = dict(enumerate(self.parameters))
        shares = {
            name: _like(value, parameters.get(int(name.partition(".")[0])) if value.dim() else None)
            for name, value in state.items()
        }
        restore_optimizer(self.optimizer, shares)


def layers(model: Model) -> list[nn.Module]:
    """Return what is gathered on its own: layers of Transformer encoders. All other weights are gathered once for an update."""
    return [layer for part in model.modules() if isinstance(part, TransformerEncoder) for layer in part.layers]


def _whole(tensor: Tensor) -> Tensor:
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _like(value: Tensor, share: Tensor | None) -> Tensor:
    """Cut a whole tensor as `share` is cut."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(share, DTensor):
        return value
    return distribute_tensor(value.to(share.device), share.device_mesh, share.placements)


def share_out(build: Callable[[], Model], training: TrainingSettings, processes: Processes) -> Whole:
    """Make the model and its optimiser in the way that `training.shard` names; a process on its own keeps everything."""
    kinds = {"none": Whole, "optimizer": OptimizerShards, "full": FullShards}
    return (kinds[training.shard] if processes.world > 1 else Whole)(build, training, processes)
