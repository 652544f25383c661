"""How much of the rate of matrix products trunk and latent model reach, in fp32 and under bfloat16 autocast.

    python benchmarks/stages.py

The rate is that of one large product in the same precision and on the same threads: in fp32 by oneDNN, as sampling
multiplies (`rnagen.model.products`). Counted are the products of a stage and of its attention
(torch.utils.flop_counter), nothing else that it computes. Sampling runs in fp32; bf16 is what it could be.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from timing import SIZE, Row, benchmark, digits, markdown, random_sequence, rate, shortest
from torch.utils.flop_counter import FlopCounterMode

from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
from rnagen.features import from_sequence
from rnagen.model.model import RNAFlowModel
from rnagen.model.products import AVAILABLE, product
from rnagen.sampling.denoiser import conformers_at_once

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
N = 20
"""Conformers, of which as many are computed at once as sampling does."""


def products_of_attention(query: torch.Size, key: torch.Size, value: torch.Size, *_: Any, **__: Any) -> int:
    """Scores, and the values that they weight."""
    copies, heads, length, width = query
    return 2 * copies * heads * length * key[2] * (width + value[3])


def products_of_onednn(rows: torch.Size, second: torch.Size, third: torch.Size | None, *_: Any, **__: Any) -> int:
    """x · weightᵀ: the weight is the second, or the third where the second is what the product is combined with."""
    weight = second if third is None or len(third) == 1 else third
    return 2 * rows.numel() * weight[0]


def counting() -> FlopCounterMode:
    """Counts the operations of a block, those too that torch does not know. They are not registered: a registration
    holds for the process, and a second one is refused."""
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    known = {attention: products_of_attention, torch.ops.mkldnn._linear_pointwise: products_of_onednn}
    return FlopCounterMode(display=False, custom_mapping=known)


@torch.no_grad()
def rate_of_sampling() -> float:
    """Operations a second of one large product as sampling computes it, in fp32."""
    if not AVAILABLE:
        return rate(torch.float32)
    one, other = torch.randn(2, SIZE, SIZE)
    product(one, other)
    return 2 * SIZE**3 / shortest(lambda: product(one, other), 8)


def measure(quick: bool) -> list[Row]:
    """A row for each stage, length and precision."""
    model = load_checkpoint(DEFAULT_CHECKPOINT).model
    rates = {"fp32": rate_of_sampling(), "bf16": rate(torch.bfloat16)}
    rows: list[Row] = []
    for length in (120, 250) if quick else (70, 120, 250, 500):
        for stage, task in stages(model, length).items():
            with torch.no_grad(), counting() as counter:
                task()
            for name, dtype in PRECISIONS.items():
                with torch.no_grad(), torch.autocast("cpu", dtype) if name == "bf16" else nullcontext():
                    taken = shortest(task, 5)
                described = {"stage": stage, "length": length, "precision": name, "rate": rates[name]}
                rows.append({**described, "seconds": taken, "products": counter.get_total_flops()})
    return rows


@torch.no_grad()
def stages(model: RNAFlowModel, length: int) -> dict[str, Callable[[], object]]:
    """What sampling calls once per RNA, and once per step."""
    features = from_sequence(model.config, random_sequence(length))
    context, copies = model.condition(features), min(N, conformers_at_once(0, length, 1))
    x, t = torch.randn(1, copies, length, len(model.config.atoms), 3), torch.full((1, copies), 0.5)
    return {"trunk": lambda: model.condition(features), f"latent model × {copies}": lambda: model(x, t, context)}


def table(rows: list[Row]) -> list[str]:
    """Both precisions of a stage in one line."""
    rates = {row["precision"]: row["rate"] for row in rows}
    lines = markdown(
        ("stage", "nt", "fp32, ms", "share of the rate", "bf16, ms", "share of its rate", "fp32 / bf16"),
        [
            (
                one["stage"],
                one["length"],
                digits(1e3 * one["seconds"]),
                f"{one['products'] / one['seconds'] / one['rate']:.0%}",
                digits(1e3 * other["seconds"]),
                f"{other['products'] / other['seconds'] / other['rate']:.0%}",
                f"{one['seconds'] / other['seconds']:.2f}",
            )
            for one, other in zip(rows[::2], rows[1::2])
        ],
    )
    measured = ", ".join(f"{name} {value / 1e9:,.0f} GFLOP/s" for name, value in rates.items())
    return [*lines, "", f"Rate of a large matrix product: {measured}."]


if __name__ == "__main__":
    benchmark(measure, table)
