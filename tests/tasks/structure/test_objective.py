"""The training loss: what it must not depend on, and what it must see."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from rnagen.data.batches import Batch
from rnagen.features import RNAFeatures
from rnagen.geometry import random_rotations
from rnagen.model.model import RNAFlowModel
from rnagen.structure import PAIR_FEATURES
from rnagen.tasks.structure.objective import StepNoise, consistency, draw_noise, total
from tests.helpers.losses import losses
from tests.helpers.tiny import LABELLED, TINY, make_batch, make_chain, tiny_model

LENGTHS = (20, 14)


def small_batch(resolved: float = 0.9) -> Batch:
    return make_batch([make_chain(n, seed=n, resolved=resolved) for n in LENGTHS])


def some_draws(batch: Batch, copies: int, times: str, config=TINY) -> StepNoise:
    dataset, transport = (
        replace(config.dataset, copies=copies),
        replace(config.transport, time_distribution=times),
    )
    return draw_noise(batch, replace(config, dataset=dataset, transport=transport), step=0)


def pad(batch: Batch, noise_of_step: StepNoise, extra: int) -> tuple[Batch, StepNoise]:
    f = batch.features
    features = RNAFeatures(
        F.pad(f.bases, (0, extra)),
        F.pad(f.residue_index, (0, extra)),
        F.pad(f.mask, (0, extra)),
        F.pad(f.pair_probabilities, (0, extra, 0, extra)),
    )
    coords = F.pad(batch.coords, (0, 0, 0, 0, 0, extra), value=0.0)
    wider = Batch(features, coords, F.pad(batch.mask, (0, 0, 0, extra)), batch.seed)
    return wider, replace(noise_of_step, noise=F.pad(noise_of_step.noise, (0, 0, 0, 0, 0, extra)))


def test_padding_changes_nothing() -> None:
    batch = small_batch()
    noise_of_step = some_draws(batch, 3, "uniform")
    plain, padded = losses(batch, noise_of_step), losses(*pad(batch, noise_of_step, 32))
    for name, value in plain.items():
        torch.testing.assert_close(padded[name], value, atol=1e-5, rtol=1e-5)


def test_random_numbers_are_a_function_of_the_seed_of_the_batch() -> None:
    batch = small_batch()
    first = some_draws(batch, 3, "logit-normal")
    torch.manual_seed(5)
    again = some_draws(replace(batch, coords=batch.coords + 1), 3, "logit-normal")
    other = some_draws(replace(batch, seed=batch.seed + 1), 3, "logit-normal")
    for name in ("rotation", "t", "noise"):
        assert torch.equal(getattr(first, name), getattr(again, name)), name
        assert (getattr(first, name) != getattr(other, name)).any(), name
        assert (getattr(first, name)[0] != getattr(first, name)[1]).any(), name


def test_processes_draw_together_what_one_draws_for_the_whole_batch() -> None:
    config = replace(TINY, dataset=replace(TINY.dataset, condition_dropout=0.5, label_dropout=0.5))
    whole = make_batch([make_chain(n, seed=n) for n in (20, 14, 9, 12)])
    together = draw_noise(whole, config, step=0)
    for rank in range(2):
        # The contents of a batch do not change its noise, only its size does.
        part = replace(whole, coords=whole.coords[rank::2], mask=whole.mask[rank::2], rank=rank, world=2)
        mine = draw_noise(part, config, step=0)
        for name in ("rotation", "t", "noise", "masked", "masked_label"):
            assert torch.equal(getattr(mine, name), getattr(together, name)[rank::2]), name


def test_a_masked_label_is_none_and_no_other_random_number_depends_on_its_share() -> None:
    batch = small_batch()
    labelled = replace(batch, features=replace(batch.features, label=torch.tensor([2, 1])))
    half = replace(LABELLED, dataset=replace(LABELLED.dataset, label_dropout=0.5))
    first, second = draw_noise(batch, LABELLED, 0), draw_noise(batch, half, 0)
    for name in ("rotation", "t", "noise", "masked", "masked_pair_features"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    masked = torch.tensor([True, False])
    found = losses(labelled, replace(first, masked_label=masked), config=LABELLED)["flow"]
    visible = losses(labelled, replace(first, masked_label=~masked & masked), config=LABELLED)["flow"]
    without = losses(batch, first, config=LABELLED)["flow"]
    assert (found == without).tolist() == [True, False]
    assert (found == visible).tolist() == [False, True]
    sizes = replace(batch, coords=torch.zeros(4000, 1, 1, 3), mask=torch.ones(4000, 1, 1, dtype=torch.bool))
    assert draw_noise(sizes, half, 0).masked_label.float().mean() == pytest.approx(0.5, abs=0.03)
    assert draw_noise(sizes, LABELLED, 0).masked_label.float().mean() == pytest.approx(0.1, abs=0.02)


def test_the_loss_does_not_see_the_pose_of_the_target() -> None:
    """The pose in the file is replaced by the sampled one: turning and moving the file only composes with it."""
    batch = small_batch(resolved=1.0)
    noise_of_step = some_draws(batch, 3, "uniform")
    turn = random_rotations(2, torch.Generator().manual_seed(4))
    moved = torch.where(
        batch.mask[..., None],
        torch.einsum("bij,blaj->blai", turn, batch.coords) + torch.tensor([30.0, -70.0, 5.0]),
        0.0,
    )
    turned_back = replace(noise_of_step, rotation=noise_of_step.rotation @ turn.mT[:, None])
    plain, other = losses(batch, noise_of_step), losses(replace(batch, coords=moved), turned_back)
    for name, value in plain.items():
        torch.testing.assert_close(other[name], value, atol=2e-4, rtol=2e-4)


def test_a_perfect_prediction_in_another_pose_has_no_aligned_flow_loss() -> None:
    """The aligned target forgives the pose; the plain one does not."""
    batch = small_batch(resolved=1.0)
    noise_of_step = some_draws(batch, 2, "uniform")
    t = 0.2
    noise_of_step = replace(noise_of_step, t=torch.full_like(noise_of_step.t, t))

    class Oracle(RNAFlowModel):
        """Predicts the true structure, turned by a quarter."""

        def forward(self, x_t: torch.Tensor, t: torch.Tensor, context, previous=None, rotation=None) -> torch.Tensor:
            mask = batch.mask[:, None, :, :, None].expand_as(x_t)
            x1 = torch.einsum("bkij,blaj->bklai", noise_of_step.rotation, batch.coords / 16)
            x1 = x1 - (x1 * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True)
            quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
            x1 = torch.where(mask, x1 @ quarter.mT, 0.0)
            # The velocity whose x̂1 is x1, on the straight path: v = (x̂1 − x_t) / (1 − t).
            return (x1 - x_t) / (1 - t[:, :, None, None, None])

    def run(aligned: bool) -> dict[str, torch.Tensor]:
        config = replace(TINY, loss=replace(TINY.loss, aligned=aligned))
        return losses(batch, noise_of_step, Oracle(config.model), config)

    with_alignment = run(True)
    # ε in the distances is all that is left.
    assert with_alignment["drmsd"].max() < 2e-3
    assert with_alignment["aligned_mae"].max() < 1e-3
    # x_t still belongs to the sampled pose: t·(x1' − x1) / (1 − t) of the error stays, against (x1' − x1) / (1 − t).
    torch.testing.assert_close(with_alignment["flow"], t**2 * run(False)["flow"], rtol=1e-3, atol=1e-5)


def test_a_mirror_image_is_seen() -> None:
    batch = small_batch(resolved=1.0)
    noise_of_step = some_draws(batch, 3, "uniform")
    mirrored = replace(batch, coords=batch.coords * torch.tensor([1.0, 1.0, -1.0]))
    plain, other = losses(batch, noise_of_step), losses(mirrored, noise_of_step)
    torch.testing.assert_close(plain["distogram"], other["distogram"])  # distances cannot see it
    assert (plain["aligned_mae"] - other["aligned_mae"]).abs().min() > 1e-4
    assert (plain["flow"] - other["flow"]).abs().min() > 1e-4


@pytest.mark.parametrize("prediction", ["velocity", "noise", "score", "data"])
@pytest.mark.parametrize("path_type", ["Linear", "GVP", "VP", "Sqrt"])
def test_gradients_are_finite_and_reach_every_part(path_type: str, prediction: str) -> None:
    config = replace(TINY, transport=replace(TINY.transport, path_type=path_type, prediction=prediction))
    model = tiny_model(config)
    batch = small_batch()
    total(losses(batch, some_draws(batch, 3, "uniform"), model, config), config.loss, 10).backward()
    for name, parameter in model.named_parameters():
        if name != "trunk.chain_break.weight":
            assert torch.isfinite(parameter.grad).all()
            assert parameter.grad.any(), name


@pytest.mark.parametrize("length", [1, 2])
def test_tiny_and_unresolved_chains_give_finite_gradients(length: int) -> None:
    empty = make_chain(5, resolved=0.0)
    batch = make_batch([make_chain(length), empty, make_chain(9, resolved=0.3)])
    model = tiny_model()
    terms = losses(batch, some_draws(batch, 2, "logit-normal"), model)
    for name in ("flow", "lddt", "drmsd", "aligned_mae", "distogram"):
        assert terms[name][1] == 0
    loss = total(terms, TINY.loss, 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_structure_losses_ramp_up() -> None:
    batch = small_batch()
    terms = losses(batch, some_draws(batch, 2, "uniform"))
    config = replace(TINY.loss, structure_ramp=100)
    early, late, latest = (total(terms, config, step).item() for step in (0, 99, 500))
    assert early < late
    assert late == latest
    weights = {"lddt": 1.0, "drmsd": 0.5, "aligned_mae": 0.5}
    structural = sum(weight * terms[name].mean().item() for name, weight in weights.items())
    assert late - early == pytest.approx(0.99 * structural, rel=1e-4)


def test_terms_without_a_weight_are_computed_when_a_weight_comes() -> None:
    batch, noise_of_step = small_batch(), some_draws(small_batch(), 2, "uniform")
    assert {"dmae", "local_drmsd", "consistency"}.isdisjoint(losses(batch, noise_of_step))
    schedule = ("dmae:5:2", "local_drmsd:0:0.25", "consistency:9:1", "flow:9:0")
    config = replace(TINY, loss=replace(TINY.loss, structure_ramp=1, loss_schedule=schedule))
    terms = {name: value.mean().item() for name, value in losses(batch, noise_of_step, config=config).items()}
    assert {"dmae", "local_drmsd", "consistency"} <= terms.keys()
    at = {epoch: config.loss.weights_at(epoch) for epoch in (0, 5, 9)}
    assert [at[epoch][name] for epoch in at for name in ("dmae", "consistency", "flow")] == [0, 0, 1, 2, 0, 1, 2, 1, 0]
    for epoch, weights in at.items():
        expected = sum(weights[name] * value for name, value in terms.items())
        found = total(losses(batch, noise_of_step, config=config), config.loss, 0, epoch).item()
        assert found == pytest.approx(expected, rel=1e-5)


def test_bfloat16_networks_leave_the_geometry_exact() -> None:
    batch = small_batch()
    noise_of_step = some_draws(batch, 2, "uniform")
    model = tiny_model()
    exact = losses(batch, noise_of_step, model)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = losses(batch, noise_of_step, model)
    for name, value in exact.items():
        assert rounded[name].dtype == torch.float32
        torch.testing.assert_close(rounded[name], value, rtol=0.05, atol=0.02)


def test_hidden_conditions_are_hidden_whole() -> None:
    """An example sampled without its condition has the loss of an RNA of which only the length is known."""
    config = replace(TINY, dataset=replace(TINY.dataset, condition_dropout=0.5))
    batch = make_batch([make_chain(12, seed=s) for s in range(16)])
    noise_of_step = draw_noise(batch, config, step=0)
    assert 0 < noise_of_step.masked.sum() < 16
    conditioned = replace(noise_of_step, masked=torch.zeros_like(noise_of_step.masked))
    with_masked, without = losses(batch, noise_of_step, config=config), losses(batch, conditioned, config=config)
    other_bases = replace(batch.features, bases=(batch.features.bases + 1) % 4)
    blank = replace(other_bases, pair_probabilities=torch.zeros_like(other_bases.pair_probabilities))
    changed = losses(replace(batch, features=blank), noise_of_step, config=config)
    for name in ("flow", "distogram"):
        torch.testing.assert_close(with_masked[name][noise_of_step.masked], changed[name][noise_of_step.masked])
        assert (with_masked[name][~noise_of_step.masked] != changed[name][~noise_of_step.masked]).all()
        torch.testing.assert_close(with_masked[name][~noise_of_step.masked], without[name][~noise_of_step.masked])
        assert (with_masked[name][noise_of_step.masked] != without[name][noise_of_step.masked]).all()


def test_channels_of_evidence_are_hidden_one_by_one() -> None:
    model = replace(TINY.model, pair_features=PAIR_FEATURES)
    config = replace(TINY, model=model, dataset=replace(TINY.dataset, pair_feature_dropout=0.3))
    batch = make_batch([make_chain(12, seed=s) for s in range(32)])
    noise_of_step = draw_noise(batch, config, step=0)
    assert noise_of_step.masked_pair_features.float().mean() == pytest.approx(0.3, abs=0.1)
    assert len(set(map(tuple, noise_of_step.masked_pair_features.tolist()))) > 4
    conditioned = tiny_model(config)
    seen = losses(batch, noise_of_step, conditioned, config)
    assert batch.features.pair_features is not None
    blank = batch.features.pair_features.masked_fill(noise_of_step.masked_pair_features[:, None, None], 0)
    by_hand = replace(batch, features=replace(batch.features, pair_features=blank))
    nothing = replace(noise_of_step, masked_pair_features=torch.zeros_like(noise_of_step.masked_pair_features))
    assert torch.equal(seen["distogram"], losses(by_hand, nothing, conditioned, config)["distogram"])
    assert (seen["distogram"] != losses(batch, nothing, conditioned, config)["distogram"]).any()


def test_half_of_the_steps_see_their_own_estimate() -> None:
    config = replace(TINY, model=replace(TINY.model, self_conditioning=True))
    batch = small_batch()
    coins = [draw_noise(batch, config, step).self_condition for step in range(200)]
    assert 80 < sum(coins) < 120
    assert not any(draw_noise(batch, TINY, step).self_condition for step in range(20))
    model = tiny_model(config)
    noise_of_step = replace(draw_noise(batch, config, 0), self_condition=False)
    first, second = (
        losses(batch, noise_of_step, model, config),
        losses(batch, replace(noise_of_step, self_condition=True), model, config),
    )
    assert (first["flow"] != second["flow"]).all()
    total(second, config.loss, 10).backward()
    assert model.latent.previous.weight.grad.any()


def test_the_own_estimate_is_what_the_model_said_first() -> None:
    """Self-conditioning in the loss is two calls of the model, the first without gradient."""
    config = replace(TINY, model=replace(TINY.model, self_conditioning=True))
    batch = small_batch(resolved=1.0)
    seen: list[torch.Tensor] = []

    class Recorder(RNAFlowModel):
        def forward(self, x_t, t, context, previous=None, rotation=None):
            seen.append(previous)
            output = super().forward(x_t, t, context, previous, rotation)
            if len(seen) == 1:
                assert not torch.is_grad_enabled()
                # Straight path: x̂1 = x_t + (1 − t)·v.
                seen.append(x_t + (1 - t[:, :, None, None, None]) * output)
            return output

    model = Recorder(config.model)
    losses(batch, replace(draw_noise(batch, config, 0), self_condition=True), model, config)
    first, expected, second = seen
    assert not first.any()
    torch.testing.assert_close(second, expected)


def test_consistency_compares_two_times_of_one_path() -> None:
    config = replace(TINY, loss=replace(TINY.loss, consistency_weight=1.0), dataset=replace(TINY.dataset, copies=4))
    batch = small_batch(resolved=1.0)
    noise_of_step = draw_noise(batch, config, 0)
    for value in (noise_of_step.noise, noise_of_step.rotation):
        torch.testing.assert_close(value[:, :2], value[:, 2:])
        assert (value[:, 0] != value[:, 1]).any()
    assert (noise_of_step.t[:, :2] != noise_of_step.t[:, 2:]).all()
    terms = losses(batch, noise_of_step, config=config)
    assert (terms["consistency"] > 0).all()
    same_time = replace(noise_of_step, t=noise_of_step.t[:, :2].repeat(1, 2))
    torch.testing.assert_close(losses(batch, same_time, config=config)["consistency"], torch.zeros(2))
    padded = losses(*pad(batch, noise_of_step, 32), config=config)
    torch.testing.assert_close(padded["consistency"], terms["consistency"], atol=1e-5, rtol=1e-5)
    assert "consistency" not in losses(batch, noise_of_step)


def test_the_earlier_time_learns_from_the_later() -> None:
    clean = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.ones(4, 5, dtype=torch.bool)
    t = torch.tensor([[0.2, 0.9, 0.6, 0.3]])
    value = consistency(clean, mask, t)
    # Copies 0 and 2 are one path, 1 and 3 another.
    expected = ((clean[0] - clean[2]).square().mean() + (clean[1] - clean[3]).square().mean()) / 2
    torch.testing.assert_close(value, expected[None])
    value.sum().backward()
    assert clean.grad[[0, 3]].abs().min() > 0
    assert not clean.grad[[1, 2]].any()
