#!/usr/bin/env bash
# review.sh BASE OUTPUT FORMAT
#
# Looks at what a pull request does to the test data, in each project of the repository. Written by `tdv init --ci`;
# needs no secrets, works in a clone of one commit, and leaves in OUTPUT:
#   check.md      every promise that the merge must keep     annotations   the same for the forge (FORMAT)
#   diff.md       what changes in the rows                   review.html   the same as a page to look at
# With several projects each has a page, review-1.html and so on. The exit code is the highest of `tdv check`.
set -uo pipefail

base=$1 output=$2 format=$3
mkdir -p "$output"
output=$(cd "$output" && pwd)
rm -f "$output"/{check.md,diff.md,annotations,log} "$output"/review*.html
parts=$(mktemp -d)

# review PROJECT PAGE: writes check.md, diff.md, annotations and log into $found, and the page.
review() {
    local status
    tdv -C "$1" check --base "$base" --format "$format" --report "$found/check.md" \
        > "$found/annotations" 2> "$found/log"
    status=$?
    cat "$found/log" >&2
    if [ ! -s "$found/check.md" ]; then
        printf '### ❌ Test data could not be checked\n\n```\n%s\n```\n' "$(cat "$found/log")" > "$found/check.md"
    fi

    # The rows of this branch: from the DVC remote, or built where there is no access to it, as for a fork.
    tdv -C "$1" pull > /dev/null 2>> "$found/log" || tdv -C "$1" build > /dev/null 2>> "$found/log"
    if tdv -C "$1" diff --base "$base" --markdown > "$found/diff.md" 2>> "$found/log"; then
        tdv -C "$1" diff --base "$base" --html "$2" > /dev/null 2>> "$found/log"
    else
        printf 'The rows could not be compared:\n\n```\n%s\n```\n' "$(tail -n 2 "$found/log")" > "$found/diff.md"
    fi
    return "$status"
}

projects=()
while IFS= read -r project; do projects+=("$project"); done < <(bash "$(dirname "$0")/projects.sh")
[ "${#projects[@]}" -gt 0 ] || projects=(.)
worst=0 number=0
for project in "${projects[@]}"; do
    number=$((number + 1))
    found=$parts/$number page=$output/review.html
    mkdir "$found"
    if [ "${#projects[@]}" -gt 1 ]; then
        page=$output/review-$number.html
        printf '## `%s`\n\n' "$project" | tee -a "$output/check.md" >> "$output/diff.md"
    fi
    review "$project" "$page"
    status=$?
    [ "$status" -le "$worst" ] || worst=$status
    for name in check.md diff.md log; do cat "$found/$name" >> "$output/$name"; done
done
if [ "$format" = gitlab ]; then
    python -c 'import json, pathlib, sys
texts = [pathlib.Path(name).read_text(encoding="utf-8") for name in sys.argv[1:]]
print(json.dumps([issue for text in texts if text.strip() for issue in json.loads(text)], indent=2))' \
        "$parts"/*/annotations > "$output/annotations"
else
    cat "$parts"/*/annotations > "$output/annotations"
fi
rm -rf "$parts"
exit "$worst"
