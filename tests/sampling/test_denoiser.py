"""The denoiser: what it remembers between calls."""

from dataclasses import replace

import torch

from rnagen.features import from_sequence
from rnagen.sampling.denoiser import Denoiser, Flow
from rnagen.transport.flow import Transport
from tests.helpers.tiny import TINY, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"


def test_self_conditioning_passes_the_last_estimate_on() -> None:
    config = replace(TINY, model=replace(TINY.model, self_conditioning=True))
    flow = Flow(tiny_model(config), Transport())
    x, t = torch.randn(2, len(SEQUENCE), 4, 3), torch.full((2,), 0.5)
    with torch.no_grad():
        context = flow.model.condition(from_sequence(config.model, SEQUENCE))
        denoiser = Denoiser(flow, context, chunk=0, remembers=True)
        first, second = denoiser(x, t), denoiser(x, t)
        previous = Transport().estimate(first, x, t).data
        torch.testing.assert_close(second, flow.model(x[None], t[None], context, previous[None])[0])
        assert (first != second).any()
        forgets = Denoiser(flow, context, chunk=0, remembers=False)
        assert torch.equal(forgets(x, t), first)
        assert torch.equal(forgets(x, t), first)
