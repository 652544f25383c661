"""The reactivity model: one output per experiment, over the residues alone."""

import pytest
import torch

from tests.helpers.encoders import KINDS, padded, random_features, tiny_reactivity_model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigmoid", [False, True])
def test_a_reactivity_per_residue_and_experiment(kind: str, sigmoid: bool) -> None:
    model, features = tiny_reactivity_model(kind, sigmoid), random_features(9)
    with torch.no_grad():
        out = model(features)
        with_padding = model(padded(features, 4))
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(features)
    assert out.shape == (2, 9, 3)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(with_padding[:, :9], out, atol=1e-5, rtol=1e-5)
    assert not with_padding[:, 9:].any()
    assert out.std(dim=2).min() > 1e-4, "the experiments differ"


def test_sigmoid_squashes_the_same_output() -> None:
    features = random_features(9)
    with torch.no_grad():
        plain, squashed = tiny_reactivity_model()(features), tiny_reactivity_model(sigmoid=True)(features)
    assert plain.min() < 0 or plain.max() > 1
    torch.testing.assert_close(squashed, plain.sigmoid())


@pytest.mark.parametrize("kind", KINDS)
def test_it_can_learn(kind: str) -> None:
    """A hundred steps on two RNAs bring the loss far below that of the best constant."""
    model, features = tiny_reactivity_model(kind).train(), random_features(12)
    target = torch.rand(2, 12, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(100):
        loss = (model(features) - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.3 * (target - target.median()).abs().mean()


def test_parameters_are_counted() -> None:
    model = tiny_reactivity_model()
    assert model.num_parameters == sum(p.numel() for p in model.encoder.parameters()) + 3 * (16 + 1)
