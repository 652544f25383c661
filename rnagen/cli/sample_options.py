"""Every option of `sample.py`. No heavy import here: `--help` must answer at once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rnagen.config import SamplerConfig
from rnagen.overlay import ConfigError

StructureFormat = Literal["cif", "pdb"]


@dataclass(frozen=True)
class SampleConfig:
    """Draw conformers of RNAs. Without an input, the example RNAs that ship with rnagen.

    `--config FILE.yaml` overlays the defaults, flags overlay the file.
    """

    sequence: str | None = None
    """Sequence of one RNA."""
    structure: str | None = None
    """Secondary structure of `sequence` that its conformers are to have, in dot-bracket notation (`?` where it is not
    known); a FASTA file has it in the lines below a sequence. For a model that can be told one."""
    name: str = "rna"
    """Its name, for `sequence`."""
    fasta: Path | None = None
    """FASTA file (many records), or a folder of FASTA and CSV files."""
    csv: Path | None = None
    """Table with the columns target_id and sequence, as the test_sequences.csv of the Kaggle benchmark."""
    alignments: Path | None = None
    """Folder of alignments (FASTA or A3M, perhaps .gz) named by target, such as rna.a3m, for a model that reads them.
    Targets without one are drawn without."""
    n: int = 5
    """Conformers per RNA."""
    pool: int | None = None
    """Conformers that are drawn per RNA, for `n` of them to be kept: by confidence and diversity where there is a
    confidence model beside the weights, else by clusters. None: `n` are drawn."""
    out: Path = Path("out")
    """Folder to write to. The same command goes on where it was interrupted."""
    ckpt: Path | None = None
    """Weights (.safetensors, with their .json beside them); the shipped checkpoint by default."""
    guide_ckpt: Path | None = None
    """Weights of a worse model (smaller, or earlier in training) to be guided away from, with `cfg_scale`."""
    seed: int = 0
    """Conformer k of target s depends on the seed, the name of s and k alone."""
    format: StructureFormat = "cif"
    """Format of the structure files."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    sampler: SamplerConfig = field(default_factory=SamplerConfig)

    def __post_init__(self) -> None:
        if self.structure is not None and self.sequence is None:
            raise ConfigError("structure: is that of --sequence, which is missing")
        if self.n < 1:
            raise ConfigError(f"n: {self.n} conformers cannot be drawn")
        if self.pool is not None and self.pool < self.n:
            raise ConfigError(f"pool: {self.n} conformers cannot be kept of {self.pool}")
