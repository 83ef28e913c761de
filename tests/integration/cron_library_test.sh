#!/usr/bin/env bash
# `make libcron` gives a library and headers that suffice for the example, outside this tree.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

check() { # NAME COMMAND...
    local name=$1; shift
    if "$@"; then echo "ok $name"; else echo "not ok $name"; fi
}
builds() {
    make --no-print-directory SANITIZE= libcron >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
    cp -r build/libcron core/cron/example/next.c "$work" &&
        (cd "$work" && gcc -Wall -Wextra -Werror -Ilibcron/include next.c libcron/libcron.a -o next)
}
prints_five_slots() {
    local out
    out=$("$work/next" '30 2 * * 1-5' America/New_York) || return 1
    [ "$(head -n 1 <<<"$out")" = "at 02:30 on Monday to Friday, New York time" ] &&
        [ "$(grep -cE '^[0-9]{4}-[0-9]{2}-[0-9]{2} (02:30|03:00):00 E[SD]T$' <<<"$out")" = 5 ]
}
names_the_mistake() {
    local out
    out=$("$work/next" '61 * * * *' UTC 2>&1)
    [ $? = 1 ] && [ "$out" = "column 1: minute 61 is out of range: write 0-59" ]
}
needs_only_libc() {
    ! nm -u "$work/next" | grep -vE '@GLIBC|_ITM_|__gmon_start__|__cxa_finalize' | grep -q .
}

check "libcron builds, and the example with it" builds
check "the example prints five slots" prints_five_slots
check "the example names a mistake" names_the_mistake
check "the library needs only the C library" needs_only_libc
