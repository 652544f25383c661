"""The Python API: what `sample.py` does, without files."""

from dataclasses import replace
from pathlib import Path

from rnagen.checkpoints.confidence import find_confidence
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
from rnagen.config.sampling import SamplerConfig
from rnagen.errors import ConfigError
from rnagen.io.target import make_target
from rnagen.sampling.candidates import Models, draw_kept
from rnagen.sampling.ensemble import check_sampling
from rnagen.structure import ALIGNED, RNAStructure


def sample(
    sequence: str,
    n: int = 5,
    *,
    candidates: int | None = None,
    structure: str | None = None,
    alignment: Path | None = None,
    name: str = "rna",
    ckpt: Path | None = None,
    guide_ckpt: Path | None = None,
    seed: int = 0,
    options: SamplerConfig | None = None,
    device: str = "cpu",
) -> RNAStructure:
    """Draw n conformers of an RNA: `rnagen.sample("GGGAAACCC", n=5)`; with `pool`, draw so many and keep n;
    with `structure` (dot-bracket), of that secondary structure, if the model can be told one; with the file of an
    `alignment`, by what it says, if the model reads alignments.

    Returns:
        a structure with n models [n, L, A, 3] in Å. `rnagen.io.write.write_structure` writes it; the same seed and name
        give the same conformers as `sample.py --sequence … --name … --seed …`.

    Raises:
        ValueError: the pool is smaller than n.
        InputError: a name, sequence, secondary structure, alignment or checkpoint cannot be used.
        ConfigError: options that this checkpoint cannot be sampled with.
        SamplingError: the coordinates were not usable.
    """
    if candidates is not None and candidates < n:
        raise ValueError(f"{n} conformers cannot be kept of {candidates}")
    checkpoint = load_checkpoint(ckpt or DEFAULT_CHECKPOINT, device)
    target = replace(make_target("sample", name, sequence, structure), alignment=alignment)
    if structure is not None and not checkpoint.config.model.secondary_structure:
        raise ConfigError("structure: this model was trained without --secondary-structure and cannot be told one")
    if alignment is not None and not set(ALIGNED) & set(checkpoint.config.model.pair_features):
        raise ConfigError(
            "alignment: this model was trained without --pair-features consensus covariation, and reads none"
        )
    options = options or SamplerConfig()
    guide = load_checkpoint(guide_ckpt, device) if guide_ckpt else None
    check_sampling(checkpoint.config, options, guide.config if guide else None)
    models = Models(checkpoint, find_confidence(checkpoint, device) if candidates else None, guide)
    return draw_kept(models, target, n, candidates, options, seed).ensemble.structure
