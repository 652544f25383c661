#!/usr/bin/env bash
# How the shipped reactivity checkpoint was made: about an hour on two CPU cores.
# Needs train_data.parquet: chemical-mapping profiles in the Ribonanza layout. Writes runs/encoder/ and out/.
set -euo pipefail
cd "$(dirname "$0")/.."

python train.py --task reactivity --config configs/reactivity.yaml --data train_data.parquet --run-name encoder \
    --encoder squeezeformer --encoder-dim 128 --lr 1e-3 --epochs 5 --no-validate

# Its profiles for the example RNAs.
rnagen reactivity --ckpt runs/encoder/last.safetensors --out out/reactivity
