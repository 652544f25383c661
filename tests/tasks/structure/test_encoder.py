"""A frozen encoder stays as it is, a trained one learns at its own rate; which encoder a run goes on with."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rnagen.checkpoints.reactivity import load_reactivity_checkpoint
from rnagen.checkpoints.structure import Checkpoint, load_checkpoint, save_checkpoint
from rnagen.config.structure import TrainConfig
from rnagen.data.encodings import EncodedCache
from rnagen.errors import ConfigError, InputError
from rnagen.tasks.structure.data import with_encodings
from rnagen.tasks.structure.encoder import Pretrained, choose_encoder
from rnagen.tasks.structure.module import FlowModule
from tests.helpers.encoders import encoder_source, model_with_encoder, save_encoder
from tests.helpers.tiny import TINY, make_batch, make_chain, stirred, tiny_model
from tests.helpers.training import fit


def with_rate(rate: float, config: TrainConfig = TINY, **optim) -> TrainConfig:
    return replace(
        config, pretrained=replace(config.pretrained, encoder_rate=rate), optim=replace(config.optim, **optim)
    )


def make_module(path: Path, rate: float, kind: str = "convformer", **optim) -> FlowModule:
    pretrained = choose_encoder(save_encoder(path / "reads.safetensors", kind, dropout=0.1), rate, None, None)
    assert pretrained is not None
    torch.manual_seed(0)
    module = FlowModule(with_rate(rate, **optim), pretrained)
    # Off zero, so that the encoder gets gradients from the first step.
    stirred(module.model)
    return module


def batches(cache: EncodedCache | None = None) -> list:
    chains = [make_chain(12), make_chain(9)]
    return [make_batch(chains if cache is None else with_encodings(chains, cache), seed=s) for s in range(3)]


@pytest.mark.parametrize("cached", [False, True])
def test_a_frozen_encoder_keeps_every_bit(tmp_path: Path, cached: bool) -> None:
    module = make_module(tmp_path, 0.0, lr=1e-2, ema_decay=0.5)
    encoder = module.model.encoder
    assert module.ema.module.encoder is encoder, "the average has no copy of it"
    before = {name: p.clone() for name, p in module.named_parameters()}
    fit(module, batches(EncodedCache(tmp_path, encoder) if cached else None))
    original = load_reactivity_checkpoint(tmp_path / "reads.safetensors").model.encoder.state_dict()
    for name, value in original.items():
        assert torch.equal(encoder.state_dict()[name], value), name
        assert torch.equal(module.shipped_model.state_dict()[f"encoder.{name}"], value), name
    assert all(p.grad is None for p in encoder.parameters())
    assert not encoder.training
    for part in ("model.conditioning", "ema.module.conditioning", "model.trunk", "ema.module.latent"):
        changed = [not torch.equal(p, before[name]) for name, p in module.named_parameters() if name.startswith(part)]
        assert all(changed) if "conditioning" in part else any(changed), part


def test_a_frozen_encoder_is_not_optimised_and_its_rate_is_its_own(tmp_path: Path) -> None:
    for rate, groups in ((0.0, 2), (0.05, 4)):
        module = make_module(tmp_path, rate, lr=1e-2, lr_warmup=2)
        configured = module.configure_optimizers()
        optimizer = configured["optimizer"]
        assert len(optimizer.param_groups) == groups
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        inside = {id(p) for p in module.model.encoder.parameters() if p.requires_grad}
        outside = {id(p) for name, p in module.model.named_parameters() if not name.startswith("encoder.")}
        assert held == inside | outside
    # The fourth group: gains and biases of the encoder. The schedule is the same for all.
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates == pytest.approx([5e-3, 5e-3, 2.5e-4, 2.5e-4])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0, 0.01, 0]
    assert {id(p) for group in optimizer.param_groups[2:] for p in group["params"]} == inside


@pytest.mark.parametrize("kind", ["transformer", "convformer"])
def test_a_trained_encoder_moves_by_its_rate(tmp_path: Path, kind: str) -> None:
    """One step of Adam moves every weight by about its rate."""
    module = make_module(tmp_path, 0.05, kind, lr=1e-2, lr_warmup=1, weight_decay=0.0, ema_decay=0.0)
    assert module.model.encoder.training, "with its dropout"
    assert module.ema.module.encoder is not module.model.encoder
    before = {name: p.detach().clone() for name, p in module.model.named_parameters()}
    fit(module, batches()[:1])
    moved = {name: (p.detach() - before[name]).abs().max() for name, p in module.model.named_parameters()}
    encoder = [float(d) for name, d in moved.items() if name.startswith("encoder.blocks")]
    trunk = [float(d) for name, d in moved.items() if name.startswith("trunk.blocks")]
    assert max(encoder) == pytest.approx(5e-4, rel=0.1)
    assert max(trunk) == pytest.approx(1e-2, rel=0.1)
    for averaged, current in zip(module.ema.module.encoder.parameters(), module.model.encoder.parameters()):
        torch.testing.assert_close(averaged, current)


def test_weights_without_encoder_are_a_start_for_one_with(tmp_path: Path) -> None:
    module, start = make_module(tmp_path, 0.0), tiny_model()
    selected = {n: t.clone() for n, t in module.model.state_dict().items() if n.startswith(("encoder", "conditioning"))}
    module.load_weights(start)
    for model in (module.model, module.ema.module):
        state = model.state_dict()
        assert all(torch.equal(state[name], value) for name, value in start.state_dict().items())
        assert all(torch.equal(state[n], t) for n, t in selected.items() if n.startswith("encoder"))
    assert all(torch.equal(module.model.state_dict()[name], value) for name, value in selected.items())


def structure_checkpoint(path: Path) -> Checkpoint:
    save_checkpoint(path, model_with_encoder(), TINY, {"cutoff": "2022-05-27"}, encoder_source())
    return load_checkpoint(path)


def test_a_structure_checkpoint_brings_its_encoder(tmp_path: Path) -> None:
    loaded = structure_checkpoint(tmp_path / "m.safetensors")
    chosen = choose_encoder(None, 0.05, None, loaded)
    assert isinstance(chosen, Pretrained)
    assert chosen.source == encoder_source()
    expected = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    module = FlowModule(with_rate(0.05), chosen)
    module.load_weights(loaded.model)
    for model in (module.model, module.ema.module):
        assert model.state_dict().keys() == expected.keys()
        assert all(torch.equal(model.state_dict()[name], value) for name, value in expected.items())


def test_an_encoder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.safetensors: no such file"):
        choose_encoder(tmp_path / "absent.safetensors", 0.0, None, None)
    loaded = structure_checkpoint(tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=r"m\.safetensors: is a checkpoint of the structure model, not of the reac"):
        choose_encoder(tmp_path / "m.safetensors", 0.0, None, None)
    other = save_encoder(tmp_path / "other.safetensors", seed=2)
    with pytest.raises(
        ConfigError, match=r"encoder: .*other\.safetensors differs from the one that .*m\.safetensors was"
    ):
        choose_encoder(other, 0.0, None, loaded)
    with pytest.raises(ConfigError, match="encoder_rate: there is no encoder"):
        choose_encoder(None, 0.1, None, None)
    assert choose_encoder(None, 0.0, None, None) is None
    with pytest.raises(ConfigError, match=r"encoder_rate: 1\.5"):
        with_rate(1.5)
