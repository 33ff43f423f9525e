#!/bin/bash
# Everything that needs a GPU, in under 9 minutes on one card of the H200 class; one JSON comes out of it.
#
#   benchmarks/gpu/run.sh [--json FILE] [--parts ceilings,decode,...] [--cpu-test]
#
# It runs from a checkout and needs torch, triton and transformers only; the heads of trl and Liger are measured where they
# can be imported; compiled layers, and vLLM where it is installed, where --parts names them. Each part is a process of its own with a deadline:
# one that fails or comes too late is a row that says so, and status 1 in the end. `gates` holds every kernel against its
# torch reference; where one is wrong, believe no other row. PYTHON names the interpreter. --cpu-test does the same with
# tiny sizes on a CPU, in seconds: to see that it works.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONPATH="src:benchmarks${PYTHONPATH:+:$PYTHONPATH}" TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1
exec "${PYTHON:-python3}" benchmarks/gpu/every_part.py "$@"
