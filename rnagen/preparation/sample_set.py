"""A small dataset of public chains, so that training starts without preparing anything: chains of the template library.

Training and validation are separated as in the splits of rnagen: by release date, and by clusters without an earlier
member.
"""

from pathlib import Path

import numpy as np
import RNA

from rnagen.caches import cache_folder
from rnagen.data.chains import ChainInfo
from rnagen.data.dataset import FILE, write_dataset
from rnagen.features import Chain
from rnagen.io.files import hash_files
from rnagen.preparation.splits import CUTOFF
from rnagen.progress import progress_bar
from rnagen.secondary.native import nearest_pair_table
from rnagen.secondary.pairs import SecondaryStructures, joined, no_pair_features
from rnagen.secondary.vienna import secondary_structures_of
from rnagen.structure import ALIGNED, BEADS
from rnagen.templates.library import C1, SHIPPED, Library, TemplateChain

TRAINING, VALIDATION = 256, 16
"""Chains at most."""
LENGTHS = 24, 80
"""nt; short chains, which train fast."""


def sample_set() -> Path:
    """Folder of the sample: made once per machine, in a few seconds.

    Raises:
        InputError: the template library cannot be read.
        OSError: the cache cannot be written.
    """
    key = f"{TRAINING}-{VALIDATION}-{hash_files([Path(__file__), SHIPPED])[:16]}-{RNA.__version__}"
    folder = cache_folder() / f"sample-{key}"
    if not (folder / FILE).is_file():
        print(f"making the sample of public chains, once, in {folder}", flush=True)
        sample_dataset(Library.open(), folder)
    return folder


def sample_dataset(library: Library, folder: Path) -> None:
    """Write the sample of a library as a dataset with its splits.

    Raises:
        OSError: the folder cannot be written.
    """
    train, val = chosen_rows(library)
    templates = [library.chain(row) for row in (*train, *val)]
    folded = {}
    with progress_bar("base pairs", len(templates)) as advance:
        for one in templates:
            folded[one.sequence] = secondary_structures_of(one.sequence, other_models=False)
            advance(1, "")
    splits = ["train"] * len(train) + ["val"] * len(val)
    infos = [_info(one, split) for one, split in zip(templates, splits)]
    write_dataset(
        folder / FILE, BEADS, infos, (_chain(one, folded[one.sequence]) for one in templates), RNA.__version__
    )


def chosen_rows(library: Library) -> tuple[list[int], list[int]]:
    """Rows of the training and of the validation chains: one of each cluster, whole, without those of a benchmark, and
    spread evenly over the names."""
    clusters = np.array([info.cluster for info in library.infos])
    early = (library.dates != "") & (library.dates < CUTOFF)
    known = set(clusters[early].tolist())
    train: dict[int, int] = {}
    val: dict[int, int] = {}
    for row, info in enumerate(library.infos):
        whole = library.chain(row).mask[:, C1:].all() and LENGTHS[0] <= library.lengths[row] <= LENGTHS[1]
        if not whole or info.benchmark or not info.release_date or info.cluster < 0:
            continue
        if early[row]:
            train.setdefault(info.cluster, row)
        elif info.cluster not in known:
            val.setdefault(info.cluster, row)
    return _spread(list(train.values()), TRAINING), _spread(list(val.values()), VALIDATION)


def _spread(rows: list[int], most: int) -> list[int]:
    return [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))]


def _info(template: TemplateChain, split: str) -> ChainInfo:
    info = template.info
    return ChainInfo(
        info.name,
        info.entry,
        release_date=info.release_date,
        cluster=info.cluster,
        source="template library",
        split=split,
    )


def _chain(template: TemplateChain, structures: SecondaryStructures) -> Chain:
    length = len(template)
    return Chain(
        name=template.info.name,
        bases=template.bases.astype(np.int32),
        residue_index=np.arange(1, length + 1, dtype=np.int32),
        coords=template.coords[None],
        mask=template.mask[None],
        pairs=joined(structures.pairs, no_pair_features(length, len(ALIGNED))),
        pair_tables=np.stack(
            [template.pair_table, nearest_pair_table(template.pair_table, structures.sampled)], axis=-1
        ),
    )
