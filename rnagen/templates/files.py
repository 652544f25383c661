"""Structure files and tables of a user as templates."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rnagen.errors import InputError
from rnagen.io.formats import STRUCTURE_SUFFIXES, is_structure_file, stem, visible_files
from rnagen.io.labels import read_labels_table
from rnagen.io.read import read_structure_file
from rnagen.structure import RNAStructure
from rnagen.templates.fragments import Fragments
from rnagen.templates.library import C1, Library, TemplateChain, TemplateInfo

FEWEST = 3
"""Residues with C1'; on fewer, nothing can be built."""
STEPS = (3.0, 12.0)
"""Å; the median distance between C1' of neighbours, 5.6 in the PDB. Outside, coordinates are not those of a molecule in
Å."""
_KNOWN = f"{', '.join(STRUCTURE_SUFFIXES)} and .csv, also as .gz"
_LAYOUT = "a table of templates has the columns of a submission, ID, resname, resid, x_1, y_1, z_1 …"


@dataclass(frozen=True)
class TemplateFiles:
    """The templates of some files."""

    library: Library
    failures: list[InputError]
    """Chains that cannot be used, beside others of their file."""


def read_template_files(paths: Sequence[Path]) -> TemplateFiles:
    """All RNA chains of structure files, and all conformers of tables in the submission format.

    Of a structure with several models, as of NMR, the one with the most atoms is the template: the first, if all have
    the same. Each conformer of a table is a template of its own. Beads and base pairs of chains with C1' alone are
    rebuilt with fragments of the shipped library. A name that comes again gets -2, -3 ….

    Args:
        paths: files (mmCIF, BinaryCIF, PDB or CSV, also gzipped), or folders of them.

    Raises:
        InputError: there is no such file, or one from which no template can be made; it names file, record, reason and
            remedy.
    """
    templates: list[TemplateChain] = []
    failures: list[InputError] = []
    for file in (file for path in paths for file in template_files(path)):
        fit: list[TemplateChain] = []
        unfit: list[InputError] = []
        for found in _read(file):
            if isinstance(found, InputError):
                unfit.append(found)
            elif reason := _unfit(found):
                unfit.append(InputError(file, found.info.name, reason))
            else:
                fit.append(found)
        if not fit:
            raise unfit[0]
        templates += fit
        failures += unfit
    return TemplateFiles(Library.of(_completed(_named(templates))), failures)


def template_files(path: Path) -> list[Path]:
    """The file, or those of a folder that are named as templates.

    Raises:
        InputError: there is none.
    """
    if path.is_dir():
        files = [file for file in visible_files(path) if is_structure_file(file) or is_table(file)]
        if not files:
            raise InputError(path, None, f"contains no file of templates ({_KNOWN})")
        return files
    if not path.is_file():
        raise InputError(path, None, f"no such file or folder; templates are {_KNOWN}")
    if not is_structure_file(path) and not is_table(path):
        raise InputError(path, None, f"is of an unknown kind; templates are {_KNOWN}")
    return [path]


def is_table(path: Path) -> bool:
    """Whether a file is named as a table."""
    return path.name.lower().removesuffix(".gz").endswith(".csv")


def _read(file: Path) -> Iterator[TemplateChain | InputError]:
    """Templates of a file, and why others of its chains are none."""
    if is_structure_file(file):
        found = read_structure_file(file)
        yield from (_template(structure, file) for structure in found.chains)
        yield from found.failures
        return
    try:
        table = read_labels_table(file, by_chain=True)
    except InputError as error:
        raise InputError(error.file, error.record, f"{error.reason}; {_LAYOUT}") from error
    for structure in table.structures:
        for k in range(structure.num_models):
            number = f"_{k + 1}" if structure.num_models > 1 else ""
            yield _template(replace(structure.models([k]), name=f"{structure.name}{number}"), file)
    yield from table.failures


def _template(structure: RNAStructure, file: Path) -> TemplateChain:
    entry = (structure.entry or stem(file)).lower()
    return TemplateChain.of(structure, TemplateInfo(structure.name, entry, structure.release_date))


def _unfit(chain: TemplateChain) -> str:
    """Why a chain cannot be a template; empty if it can."""
    resolved = chain.mask[:, C1]
    count = int(resolved.sum())
    if count < FEWEST:
        what = "has no residue" if count == 0 else f"has {count} residue{'s' * (count > 1)}"
        return f"{what} with coordinates of C1'; a template needs {FEWEST} at least: name a structure that has them"
    steps = np.linalg.norm(np.diff(chain.coords[:, C1], axis=0), axis=-1)[resolved[1:] & resolved[:-1]]
    median = float(np.median(steps)) if len(steps) else sum(STEPS) / 2
    if not STEPS[0] < median < STEPS[1]:
        return f"C1' of neighbours lie {median:.2f} Å apart (median): give the coordinates of a molecule, in Å"
    return ""


def _named(templates: Sequence[TemplateChain]) -> list[TemplateChain]:
    """The templates under names of their own."""
    seen: Counter[str] = Counter()
    found = []
    for one in templates:
        seen[one.info.name] += 1
        number = seen[one.info.name]
        found.append(one if number == 1 else replace(one, info=replace(one.info, name=f"{one.info.name}-{number}")))
    return found


def _completed(templates: Sequence[TemplateChain]) -> list[TemplateChain]:
    """The templates, those with C1' alone with their other beads and base pairs."""
    bare = [int(one.mask.sum()) == int(one.mask[:, C1].sum()) for one in templates]
    if not any(bare):
        return list(templates)
    fragments = Fragments(Library.open())
    return [fragments.complete(one) if is_bare else one for one, is_bare in zip(templates, bare)]
