"""Estimated peak memory of sampling five conformers, by size of the model and length.

    python benchmarks/memory.py

`tests/sampling/test_memory.py` holds the estimate against runs.
"""

from dataclasses import dataclass, replace
from typing import Any

import tyro

from rnagen.config.confidence import HeadConfig
from rnagen.config.sampling import SamplerConfig
from rnagen.config.structure import SIZES, ModelConfig
from rnagen.sampling.memory import estimated_memory


@dataclass
class Options:
    """What to estimate."""

    lengths: tuple[int, ...] = (720, 1000, 2000, 4300)
    """Residues."""
    n: int = 5
    """Conformers."""


def main() -> None:
    """Print the table."""
    options, sampler, head = tyro.cli(Options), SamplerConfig(), HeadConfig(head_layers=2)
    sizes: dict[str, Any] = {**SIZES}
    shapes = {name: ModelConfig(**size) for name, size in sizes.items()}
    rows: dict[str, tuple[ModelConfig, HeadConfig | None]] = {}
    rows |= {f"{name}, with confidence": (shape, head) for name, shape in shapes.items()}
    rows |= {f"{name}, reads references": (replace(shape, references=2), None) for name, shape in shapes.items()}
    print(f"{'GiB':<24}" + "".join(f"{length:>8}" for length in options.lengths))
    for name, (shape, of) in sorted(rows.items(), reverse=True):
        need = [estimated_memory(length, options.n, shape, sampler, None, of) for length in options.lengths]
        print(f"{name:<24}" + "".join(f"{bytes_ / 2**30:>8.1f}" for bytes_ in need))


if __name__ == "__main__":
    main()
