#!/usr/bin/env bash
# The first half hour with the Stanford RNA 3D Folding benchmark: a submission with its five slots, and its score.
#
#   python3 -m venv .venv && source .venv/bin/activate && pip install -q -c constraints.txt -e .
#   examples/competition.sh validation_sequences.csv validation_labels.csv my_folder
#
# FLAGS="--steps 2" is added to the commands that sample. docs/kaggle.md: the same in a notebook without internet.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: examples/competition.sh SEQUENCES.csv LABELS.csv [FOLDER]: tables of sequences (target_id,sequence) and of labels" >&2
    exit 2
fi
sequences=$1 labels=$2 out=${3:-out/competition}

# One guess for each of the five slots. Repeating the command continues where it was interrupted.
# shellcheck disable=SC2086
rnagen sample --csv "$sequences" --n 5 --out "$out/plain" ${FLAGS:-}

# The best of the five counts: five of ten candidates, confident and different.
# shellcheck disable=SC2086
rnagen sample --csv "$sequences" --candidates 10 --n 5 --out "$out/selected" ${FLAGS:-}

# TM-score of both, target by target, beside the baselines.
for name in plain selected; do
    rnagen evaluate "$out/$name/submission.csv" "$labels" --out "$out/$name.csv"
done
cp "$out/selected/submission.csv" "$out/submission.csv"
echo "to submit: $out/submission.csv"
