#!/usr/bin/env bash
# The first half hour of research on the model: your structures as a dataset, two settings with two seeds each, which one
# is better, and conformers of the winner.
#
#   python3 -m venv .venv && source .venv/bin/activate && pip install -q -c constraints.txt -e '.[test]'
#   examples/research.sh my_structures my_folder
#
# FLAGS="--epochs 1" is added to the commands that train.
set -euo pipefail
if [ $# -lt 1 ]; then
    echo "usage: examples/research.sh STRUCTURES [FOLDER]: a folder of structures, mmCIF or PDB" >&2
    exit 2
fi
structures=$1 out=${2:-out/research}

# A dataset. The structures get a date, because undated chains do not train.
rnagen prepare "$structures" --assume-date 2020-01-01 --out "$out/data" --splits "$out/splits"

# Every fifth cluster of similar sequences validates. (Real claims need chains that are later than the training.)
all=$out/splits/train.csv
cp "$all" "$out/all.csv"
awk -F, 'NR == 1 || $4 % 5 == 0' "$out/all.csv" > "$out/splits/val.csv"
awk -F, 'NR == 1 || $4 % 5 != 0' "$out/all.csv" > "$all"

# One change at a time, and more than one seed: trainings differ by chance.
for seed in 0 1; do
    for path in Linear GVP; do
        # shellcheck disable=SC2086
        rnagen train --data "$out/data" --splits "$out/splits" --run-dir "$out/runs" --run-name "$path-$seed" \
            --path-type "$path" --seed "$seed" --epochs 20 --val-epoch-freq 5 ${FLAGS:-}
    done
done

# What differs, how they score, and the gain with its interval; the first setting is what the other is compared with.
rnagen compare "$out"/runs/Linear-* "$out"/runs/GVP-* --out "$out/curves.svg"

rnagen sample --sequence GGGGCUUCGGCCCC --n 2 --steps 5 --ckpt "$out/runs/Linear-0/last.safetensors" --out "$out/conformers"
echo "curves: $out/curves.svg; conformers: $out/conformers"
