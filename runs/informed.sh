#!/usr/bin/env bash
# How the checkpoint `informed` and its confidence model were made: `base` trained on to read reference structures and strands, in three
# hours of one or two CPU cores (docs/training.md), and 50 minutes of one for the confidence model. Needs data/ (runs/small.sh makes it) and
# runs/variants.safetensors (docs/training.md). Writes runs/; rnagen/assets/ is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

python runs/references.py data splits runs/references.safetensors
python train.py --config configs/references.yaml --ckpt rnagen/assets/base.safetensors --variants runs/variants.safetensors \
    --templates runs/references.safetensors --no-validate --run-name informed --train-batches 200 --epochs 18

# The trunk forgets what it knew of sequences: three quarters of it stay those of `base`.
rnagen average runs/informed/last.safetensors rnagen/assets/base.safetensors --weights 1 0 --trunk-weights 0.25 0.75 --half \
    --out runs/informed.safetensors

python train.py --task confidence --config configs/confidence.yaml --structure runs/informed.safetensors \
    --templates runs/references.safetensors --conformers 2 --val-epoch-freq 5
for kind in safetensors json; do cp "runs/confidence/last.$kind" "runs/informed.confidence.$kind"; done

python sample.py --ckpt runs/informed.safetensors --n 5 --out out/informed
