# shellcheck shell=bash
# What tests/run and tests/cluster/run share: run a suite, count its lines, sum up. A suite is a command that prints
# TAP: "ok …", "not ok …" or "ok … # skip why".
passed=0 failed=0 skipped=0 only=()

# On a machine shared with others a suite may meet a deadline for their sake: with SECOND_TRY it gets a second
# chance, and that is said.
run_suite() { # NAME COMMAND...: its output in $out, its exit code in $code
    local name=$1; shift
    out=$(timeout "${SUITE_TIMEOUT:-600}" "$@" 2>&1 </dev/null); code=$?
    [ "$code" != 0 ] && [ -n "${SECOND_TRY:-}" ] || return 0
    printf '%s failed; once more. The first try said:\n' "$name"
    grep -E '^not ok|^# ' <<<"$out" | head -n 20 | sed 's/^/    | /'
    out=$(timeout "${SUITE_TIMEOUT:-600}" "$@" 2>&1 </dev/null); code=$?
}

suite() { # NAME COMMAND...: counts; a suite that ends badly or without a line is a failure
    local out code ok bad skip
    run_suite "$@"
    skip=$(grep -ciE '^ok .*# skip' <<<"$out")
    ok=$(($(grep -cE '^ok ' <<<"$out") - skip))
    bad=$(grep -cE '^not ok ' <<<"$out")
    if [ "$bad" = 0 ] && { [ "$code" != 0 ] || [ $((ok + skip)) = 0 ]; }; then bad=1; fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    printf '%-44s %4d passed %3d failed %3d skipped\n' "$1" "$ok" "$bad" "$skip"
    if [ "$bad" != 0 ]; then printf '%s\n' "$out" | tail -n "${SUITE_LINES:-60}" | sed 's/^/    /'; fi
}

asked() { # NAME: whether it is one of those in `only`; without any, all are
    local part
    for part in "${only[@]}"; do [[ $1 == *$part* ]] && return 0; done
    [ ${#only[@]} = 0 ]
}

wanted() { # NAME COMMAND...: the suite, when it is asked for
    if asked "$1"; then suite "$@"; fi
}

sum_up() { # the last line; false when one failed or none ran
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
