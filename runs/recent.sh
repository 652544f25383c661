#!/usr/bin/env bash
# How the checkpoint `recent` was made: `informed`, with its trunk frozen, trained on with the chains released since its cutoff and those of
# a sixth of the older clusters, in an hour of one CPU core. Needs data/ (runs/small.sh makes it) and runs/references.safetensors
# (runs/informed.sh). Writes runs/; rnagen/assets/ is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

rnagen prepare data --out data --cutoff 2024-04-04 --splits runs/all
