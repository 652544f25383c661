"""Options of the prediction of reactivity. No heavy import here: `--help` must answer at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rnagen.errors import ConfigError

TableFormat = Literal["parquet", "csv"]


@dataclass(frozen=True)
class ReactivityOptions:
    """Predict chemical-mapping reactivity of RNAs: a table in the Ribonanza layout, and a figure per RNA.

    Or, with `--check TABLE`, say whether a table, of whatever tool, is a complete and sound one for these RNAs. Without
    an input, the RNAs are the examples that ship with rnagen. `--config FILE.yaml` overlays the defaults, flags overlay
    the file.
    """

    sequence: str | None = None
    """Sequence of one RNA."""
    name: str = "rna"
    """Its name, for `sequence`."""
    fasta: Path | None = None
    """FASTA file (many records), or a folder of FASTA and CSV files."""
    csv: Path | None = None
    """Table with the columns target_id and sequence, as the test_sequences.csv of the Kaggle benchmark."""
    ckpt: tuple[Path, ...] = ()
    """Weights of reactivity models (.safetensors, with their .json beside them); the mean of several is taken. The
    shipped checkpoint by default."""
    out: Path = Path("out")
    """Folder to write to."""
    flip: bool = True
    """Let each model also read the RNAs from the 3' end, and take the mean of both readings."""
    batch_size: int = 32
    """Most RNAs in a batch. Long ones are fewer: a batch has a million pairs of residues, or one RNA."""
    format: TableFormat = "parquet"
    """Format of the table."""
    skip_start: int = 0
    """First residues of each RNA that get no value: measured tables have none at the primer sites (26 in Ribonanza)."""
    skip_end: int = 0
    """Last residues of each RNA that get no value (21 in Ribonanza)."""
    figures: bool = True
    """Draw each RNA's reactivity below its secondary structure."""
    measured: Path | None = None
    """Table in the Ribonanza layout; its profiles of the same sequences are shown in the figures."""
    check: Path | None = None
    """Predict nothing, but check this table: each RNA has one row per experiment that the table names, with values
    from 0 to 1 at every residue but those of `skip_start` and `skip_end`, and with none elsewhere."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("skip_start", 0), ("skip_end", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: {getattr(self, name)!r} cannot be used")
        if self.measured is not None and not self.figures:
            raise ConfigError("measured: is shown in the figures, and there are none")
