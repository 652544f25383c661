#!/usr/bin/env bash
# How the template library rnagen/assets/library.safetensors was made: some ten minutes on two CPU cores. The structures are the
# RNA chains of the PDB (one mmCIF file each), the tables of the Stanford RNA 3D Folding competition, and an index.csv with dates
# and clusters, in a folder shared/data beside the repository. The same bytes come from the folder itself, without a dataset.
set -euo pipefail
cd "$(dirname "$0")/.."

rnagen prepare ../shared/data --out data
rnagen library data --out runs/library.safetensors
