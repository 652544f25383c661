"""Products by oneDNN are those of PyTorch, and are left to it where oneDNN has none."""

import pytest
import torch
from torch.nn import functional as F

from rnagen.features import from_chain
from rnagen.model import attention, triangles
from rnagen.model.model import RNAFlowModel
from rnagen.model.products import AVAILABLE, FEWEST_ROWS, Linear, multiplies, product, product_plus, scaled_product
from tests.helpers.tiny import TINY_MODEL, make_chain, stirred

needs_onednn = pytest.mark.skipif(not AVAILABLE, reason="this build of PyTorch has no oneDNN")


@needs_onednn
@pytest.mark.parametrize("rows", [(0,), (1,), (3, 50), (2, 1, 7)])
def test_products_are_those_of_pytorch(rows: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(*rows, 20, generator=generator), torch.randn(33, 20, generator=generator)
    bias, other = torch.randn(33, generator=generator), torch.randn(*rows, 33, generator=generator)
    expected = F.linear(x, weight)
    with torch.no_grad():
        torch.testing.assert_close(product(x, weight), expected)
        torch.testing.assert_close(product(x, weight, bias, "sigmoid"), (expected + bias).sigmoid())
        torch.testing.assert_close(product(x, weight, after="swish"), F.silu(expected))
        torch.testing.assert_close(scaled_product(x, weight, other), expected * other)
        torch.testing.assert_close(product_plus(x, weight, other), expected + other)


@needs_onednn
def test_matrices_may_lie_as_they_like() -> None:
    x, weight = torch.randn(2, 9, 9, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(product(x.mT, weight.mT), x.mT @ weight)


def test_gradients_half_precision_autocast_and_few_rows_are_left_to_pytorch() -> None:
    x = torch.randn(FEWEST_ROWS, 4)
    assert not multiplies(x)
    with torch.no_grad():
        assert multiplies(x) == AVAILABLE
        assert not any(map(multiplies, (x.double(), x.bfloat16(), x.to("meta"))))
        assert not multiplies(x[1:])
        with torch.autocast("cpu", torch.bfloat16):
            assert not multiplies(x)
            assert Linear(4, 5)(x).dtype == torch.bfloat16
    assert Linear(4, 5)(x).requires_grad


def test_a_layer_is_that_of_pytorch() -> None:
    layer, x = Linear(4, 5), torch.randn(2, FEWEST_ROWS, 4)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), F.linear(x, layer.weight, layer.bias))
        torch.testing.assert_close(layer(x[0, 0]), F.linear(x[0, 0], layer.weight, layer.bias))


@pytest.mark.parametrize("length", [1, 9, 40])
def test_a_model_computes_the_same_with_and_without_gradients(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(attention, "SHORTEST_BY_HEADS", 20)
    monkeypatch.setattr(attention, "BLOCK_SCORES", 500)
    monkeypatch.setattr(triangles, "SHORTEST_ONE_BY_ONE", 20)
    torch.manual_seed(0)
    model = stirred(RNAFlowModel(TINY_MODEL)).eval()
    features = from_chain(make_chain(length))
    x, t = torch.randn(1, 3, length, len(TINY_MODEL.atoms), 3), torch.full((1, 3), 0.3)
    expected = model(x, t, model.condition(features))
    with torch.no_grad():
        torch.testing.assert_close(model(x, t, model.condition(features)), expected, rtol=1e-4, atol=1e-5)
