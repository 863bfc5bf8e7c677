#!/usr/bin/env bash
# Lists the directories of the projects of this repository, one per line: the top of it, or, where no tdv.yaml is there,
# every directory that has one. Written by `tdv init --ci`.
set -euo pipefail

cd "$(git rev-parse --show-toplevel)"
if [ -f tdv.yaml ]; then
    echo .
else
    git -c core.quotePath=false ls-files -- '*/tdv.yaml' | sed 's#/tdv\.yaml$##'
fi
