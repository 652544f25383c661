#!/usr/bin/env bash
# How the checkpoint `small` and its confidence model were made: about four hours on two CPU cores.
# Needs a network for the first command only. Writes data/ and runs/; rnagen/assets/ is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

# The PDB entries of both splits, as one dataset.
{ cat splits/train.csv; tail -n +2 splits/val.csv; } > runs/chains.csv
rnagen prepare --fetch runs/chains.csv --out data

# Crops of 96 residues: short RNAs. The second command goes on where the first stopped, at a rate that has risen again.
python train.py --run-name short --compile --lr-decay 9000 --val-epoch-freq 3 --max-time 00:01:30:00
python train.py --run-name short --ckpt runs/short/last.ckpt --compile --lr-decay 24000 --val-epoch-freq 8

# Crops of 256 and 384 residues: long RNAs.
python train.py --config configs/long_crops.yaml --ckpt runs/short/best.safetensors --run-name long
python train.py --config configs/long_crops.yaml --ckpt runs/short/best.safetensors --run-name long2 --batch-size 4 --seed 1 \
    --lr 2e-4 --lr-warmup 30 --lr-decay 800 --train-batches 100 --epochs 8
python train.py --config configs/long_crops.yaml --ckpt runs/long/last.safetensors --run-name longer --crop 384 --copies 3 \
    --lr 2e-4 --lr-warmup 30 --lr-decay 1200 --epochs 8

# The mean of the weights keeps most of what each has learnt.
rnagen average runs/short/best.safetensors runs/long/last.safetensors runs/long2/last.safetensors runs/longer/last.safetensors \
    --out runs/small.safetensors

# The confidence model learns from conformers that the mean generates. Beside its weights, sampling finds and uses it.
python train.py --task confidence --config configs/confidence.yaml --structure runs/small.safetensors --val-epoch-freq 5
for kind in safetensors json; do cp "runs/confidence/last.$kind" "runs/small.confidence.$kind"; done

python sample.py --ckpt runs/small.safetensors --n 5 --out out/small
