#!/usr/bin/env bash
# The first half hour with the RNAs that you work on: structures, how far to believe them, what mapping would measure.
#
#   python3 -m venv .venv && source .venv/bin/activate && pip install -q -c constraints.txt -e .
#   examples/biology.sh                                  # a tRNA and a hairpin, into out/biology
#   examples/biology.sh my_rnas.fasta my_folder
#
# FLAGS="--steps 2" is added to the command that samples.
set -euo pipefail
rnas=${1:-} out=${2:-out/biology}
mkdir -p "$out"
if [ -z "$rnas" ]; then
    rnas=$out/rnas.fasta
    printf '>trna\nGCGGAUUUAGCUCAGUUGGGAGAGCGCCAGACUGAAGAUCUGGAGGUCCUGUGUUCGAUCCACAGAAUUCGCACCA\n' > "$rnas"
    printf '>hairpin\nGGGGCUUCGGCCCC\n' >> "$rnas"
fi

# Five conformers of each RNA, as PDB files, which every viewer reads (docs/viewers.md).
# shellcheck disable=SC2086
rnagen sample --fasta "$rnas" --n 5 --format pdb --out "$out/structures" ${FLAGS:-}

# How far to believe them: predicted TM-scores. Below 0.45 the fold is probably wrong; below 20 nt they mean little.
python - "$out/structures" <<'PYTHON'
import json, pathlib, sys

for file in sorted(pathlib.Path(sys.argv[1]).glob("*/summary.json")):
    summary = json.loads(file.read_text())
    scores = [one["predicted_tm"] for one in summary["conformers"]]
    print(summary["name"], "predicted TM-scores:", ", ".join("none" if tm is None else f"{tm:.2f}" for tm in scores))
PYTHON

# What SHAPE or DMS would measure, to be held against an experiment: a table, and a figure of each RNA.
rnagen reactivity --fasta "$rnas" --format csv --out "$out/mapping"
echo "structures: $out/structures; mapping: $out/mapping"
