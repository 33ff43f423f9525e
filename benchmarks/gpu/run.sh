#!/bin/bash
# Everything that needs a GPU, in under 9 minutes on one card of the H200 class; one JSON comes out of it.
#
#   benchmarks/gpu/run.sh [--json FILE] [--parts ceilings,decode,...] [--cpu-test]
#
# It runs from a checkout and needs torch and transformers only; vLLM is measured where it is installed. PYTHON names
# the interpreter. --cpu-test does the same with tiny sizes on a CPU, in seconds: to see that it works.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONPATH="src:benchmarks${PYTHONPATH:+:$PYTHONPATH}" TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1
exec "${PYTHON:-python3}" benchmarks/gpu/every_part.py "$@"
