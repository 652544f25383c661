"""What a run over several RNAs returns in Python."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rnagen.config.sampling import StructureFormat
from rnagen.errors import ConfigError, InputError
from rnagen.io.folders import folder_names
from rnagen.io.kaggle import write_submission
from rnagen.messages import number_of
from rnagen.sampling.claim import RUN, SUBMISSION
from rnagen.sampling.description import RESERVED_NAMES
from rnagen.sampling.ensemble import Ensemble, names_file, write_conformers

MOST_NAMED = 5
"""Names in the representation."""


@dataclass(frozen=True, eq=False)
class SampledTargets(Mapping[str, Ensemble]):
    """The ensembles of a run by the name of their RNA, in order, and the records that failed."""

    ensembles: dict[str, Ensemble]
    failures: list[InputError]

    def __len__(self) -> int:
        """Number of ensembles."""
        return len(self.ensembles)

    def __iter__(self) -> Iterator[str]:
        """The names; `values()` has the ensembles."""
        return iter(self.ensembles)

    def __getitem__(self, name: str) -> Ensemble:
        """The ensemble of an RNA."""
        return self.ensembles[name]

    def __repr__(self) -> str:
        named = list(self.ensembles)[:MOST_NAMED] + ["…"] * (len(self) > MOST_NAMED)
        names = f" ({', '.join(named)})" if named else ""
        return f"SampledTargets({number_of(len(self), 'RNA')}{names}, {len(self.failures)} failed)"

    def save(self, folder: str | Path, structure_format: StructureFormat = "cif") -> Path:
        """Write a folder of structure files per RNA, and submission.csv of the conformers that all have; returns the
        folder. For one that more can be added to, sample with `out`.

        Raises:
            ConfigError: the folder has a run of rnagen, or the name of a file; or there is no ensemble to save.
            InputError: the coordinates do not fit the format.
            OSError: the folder cannot be written or the disk is full.
        """
        folder = Path(folder)
        if not self.ensembles:
            raise ConfigError("save: there is no ensemble")
        if names_file(folder):
            raise ConfigError(f"save: {folder} is the name of a file; name a folder, or save one of the ensembles")
        if (folder / RUN).is_file():
            raise ConfigError(f"save: {folder} has a run of rnagen; choose another folder, or sample with out=")
        places = folder_names(self.ensembles, RESERVED_NAMES)
        for name, ensemble in self.ensembles.items():
            write_conformers(ensemble.structure, folder / places[name], structure_format, ensemble.quality)
        structures = [ensemble.structure for ensemble in self.ensembles.values()]
        write_submission(folder / SUBMISSION, structures, min(map(len, self.ensembles.values())))
        return folder
