"""Templates made by code."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from rnagen.preparation.synthetic import synthetic_rna
from rnagen.templates.library import C1, Library, TemplateChain, TemplateInfo


def template(seed: int, length: int = 24, name: str = "", **info: str | int) -> TemplateChain:
    """A synthetic chain as a template; by default `1aaa_A`, `2aaa_A` …, by the seed."""
    name = name or f"{seed}aaa_A"
    pairs = np.full(length, -1, dtype=np.int16)
    pairs[0], pairs[-1] = length - 1, 0
    facts = TemplateInfo(name, name.split("_")[0], **info)  # type: ignore[arg-type]
    return TemplateChain.of(synthetic_rna(seed, length), facts, pairs)


def library(*dates: str) -> Library:
    """A library of a chain for each release date."""
    return Library.of([template(k, 20 + k, release_date=date) for k, date in enumerate(dates, 1)])


def with_c1_alone(chain: TemplateChain) -> TemplateChain:
    """The chain without its other beads."""
    mask = chain.mask & (np.arange(chain.mask.shape[1]) == C1)
    return replace(chain, coords=np.where(mask[..., None], chain.coords, 0).astype(np.float32), mask=mask)


def written(path: Path, *chains: TemplateChain) -> Path:
    """A library file of these chains."""
    Library.of(chains).write(path)
    return path
