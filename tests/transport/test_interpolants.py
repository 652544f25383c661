import pytest
import torch

from rnagen.transport.interpolants import PATHS, T_EPS, VP, clamp_time, time_of_alpha
from tests.helpers.gaussian import SOME_TIMES

each_path = pytest.mark.parametrize("path", PATHS)


@each_path
def test_derivatives_agree_with_autograd(path):
    t = torch.linspace(1e-3, 1 - 1e-3, 201, dtype=torch.float64, requires_grad=True)
    c = PATHS[path](t)
    for value, derivative in ((c.alpha, c.d_alpha), (c.sigma, c.d_sigma)):
        if value.requires_grad:
            (expected,) = torch.autograd.grad(value.sum(), t, retain_graph=True)
            assert torch.allclose(derivative, expected, rtol=1e-10, atol=1e-12)


@each_path
def test_runs_from_noise_to_data(path):
    # Sqrt does not reach either end: ᾱ is 0 a hair after t = 0, and 0.99 at t = 1.
    first = 1e-4 if path == "Sqrt" else 0.0
    c = PATHS[path](torch.tensor([first, 1.0], dtype=torch.float64))
    # VP begins with a trace of data: α(0) = exp(−5.025).
    assert c.alpha.tolist() == pytest.approx(
        [0.00657 if path == "VP" else 0.0, 1.0 if path != "Sqrt" else 0.99**0.5], abs=1e-5
    )
    assert c.sigma.tolist() == pytest.approx([1.0, 0.1 if path == "Sqrt" else 0.0], abs=1e-4)
    inside = PATHS[path](torch.linspace(0.01, 0.99, 99))
    assert (inside.alpha.diff() > 0).all()
    assert (inside.sigma.diff() < 0).all()


@pytest.mark.parametrize("path", ["GVP", "VP", "Sqrt"])
def test_variance_is_preserved(path):
    c = PATHS[path](clamp_time(SOME_TIMES))
    assert torch.allclose(c.alpha.square() + c.sigma.square(), torch.ones_like(SOME_TIMES))


def test_sqrt_has_the_marginals_of_the_thousand_step_diffusion():
    """ᾱ_i = 1 − √(i/1000 + 10⁻⁴) for level i = 1 … 999 of Diffusion-LM."""
    level = torch.arange(1, 1000, dtype=torch.float64)
    c = PATHS["Sqrt"](1 - level / 1000)
    assert torch.allclose(c.alpha.square(), 1 - (level / 1000 + 1e-4).sqrt())


def test_vp_is_precise_near_the_data():
    """1 − exp(2ℓ) would lose half of the digits of float32 there."""
    t = 1 - torch.tensor([1e-3, 1e-4, 1e-5], dtype=torch.float64)
    single = VP()(t.float())
    # The time itself is rounded: compare at the time that float32 has.
    assert torch.allclose(single.sigma.double(), VP()(t.float().double()).sigma, rtol=1e-3)


@each_path
def test_everything_is_finite_inside_the_clamp(path):
    for c in PATHS[path](clamp_time(torch.tensor([-0.5, 0.0, 1.0, 1.99]))):
        assert torch.isfinite(c).all()
    c = PATHS[path](clamp_time(torch.tensor([0.0, 1.0])))
    assert (1 / c.alpha).max() < 1001
    assert (1 / c.sigma).max() < 1001


def test_clamp_keeps_the_inside():
    t = torch.linspace(T_EPS, 1 - T_EPS, 7)
    assert torch.equal(clamp_time(t), t)


def test_coefficients_expand_over_trailing_axes():
    c = PATHS["Linear"](torch.tensor([0.25, 0.5])).expand_to(torch.zeros(2, 4, 3))
    assert all(value.shape == (2, 1, 1) for value in c)


@each_path
def test_time_of_alpha_inverts_alpha(path):
    for alpha in (0.05, 0.1, 0.7, 0.97):
        t = time_of_alpha(PATHS[path], alpha)
        assert PATHS[path](torch.tensor(t, dtype=torch.float64)).alpha.item() == pytest.approx(alpha, abs=1e-10)
    with pytest.raises(ValueError, match="not through 2"):
        time_of_alpha(PATHS[path], 2.0)
