#!/usr/bin/env bash
# review.sh BASE OUTPUT FORMAT
#
# Looks at what a pull request does to the test data. Written by `tdv init --ci`; needs no secrets, works in a clone
# of one commit, and leaves in OUTPUT:
#   check.md      every promise that the merge must keep     annotations   the same for the forge (FORMAT)
#   diff.md       what changes in the rows                   review.html   the same as a page to look at
# The exit code is that of `tdv check`.
set -uo pipefail

base=$1 output=$2 format=$3
mkdir -p "$output"
rm -f "$output"/{check.md,diff.md,annotations,review.html,log}

tdv check --base "$base" --format "$format" --report "$output/check.md" \
    > "$output/annotations" 2> >(tee -a "$output/log" >&2)
status=$?
if [ ! -s "$output/check.md" ]; then
    printf '### ❌ Test data could not be checked\n\n```\n%s\n```\n' "$(cat "$output/log")" > "$output/check.md"
fi

# The rows of this branch: from the DVC remote, or built where there is no access to it, as for a fork.
tdv pull > /dev/null 2>> "$output/log" || tdv build > /dev/null 2>> "$output/log"
if tdv diff --base "$base" --markdown > "$output/diff.md" 2>> "$output/log"; then
    tdv diff --base "$base" --html "$output/review.html" > /dev/null 2>> "$output/log"
else
    printf 'The rows could not be compared:\n\n```\n%s\n```\n' "$(tail -n 2 "$output/log")" > "$output/diff.md"
fi
exit "$status"
