import pytest
import torch

from seq2seq.config.training import TrainingSettings
from seq2seq.run.optimizer import build_optimizer, optimizer_tensors, restore_optimizer

KINDS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def trained(make, steps=3):
    generator = torch.Generator().manual_seed(1)
    weights = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 5), (7,))]
    optimizer = make(weights)
    for _ in range(steps):
        optimizer.zero_grad()
        sum((weight**3).sum() for weight in weights).backward()
        optimizer.step()
    return weights, optimizer


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_optimiser_of_torch(kind):
    settings = TrainingSettings(optimizer=kind, weight_decay=0.01 if kind == "adamw" else 0.0)
    options = {"lr": settings.learning_rate, "betas": settings.betas, "eps": settings.epsilon}
    options |= {"weight_decay": settings.weight_decay, "fused": True}
    ours, optimizer = trained(lambda weights: build_optimizer(weights, settings))
    theirs, _ = trained(lambda weights: KINDS[kind](weights, **options))
    assert isinstance(optimizer, KINDS[kind])
    assert all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True))


def test_hooks_are_called_and_the_state_can_be_put_back():
    weights, optimizer = trained(lambda weights: build_optimizer(weights, TrainingSettings()))
    calls = []
    optimizer.register_step_post_hook(lambda *_: calls.append(1))
    again = build_optimizer(weights, TrainingSettings())
    restore_optimizer(again, optimizer_tensors(optimizer))
    assert optimizer_tensors(again).keys() == optimizer_tensors(optimizer).keys()
    for name, value in optimizer_tensors(optimizer).items():
        assert torch.equal(value, optimizer_tensors(again)[name])
    optimizer.step()
    assert calls == [1]
