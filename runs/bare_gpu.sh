#!/usr/bin/env bash
# A training of so many minutes on a machine with one GPU and no network:
#   runs/bare_gpu.sh PACK.tar MINUTES [OPTIONS of runs/bare_gpu/train.py]
# runs/bare_gpu/pack.py makes the pack. Compilation takes some of the minutes; the schedule follows the clock, and half a minute stays
# for reading the data and writing the weights. They lie in runs/gpu then (or another --out), in half precision and in parts of
# 15 MiB, with run.json; runs/bare_gpu/join.py makes checkpoints of them.
set -euo pipefail
pack=$(realpath "$1") seconds=$(($2 * 60 - 30))
shift 2
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
exec python runs/bare_gpu/train.py "$pack" --until "$seconds" --out runs/gpu "$@"
