#!/usr/bin/env bash
# The protocol's model (tests/model/slots.pml), checked by spin: every order of events, within the bounds. Then the same
# with one rule taken away at a time, which must be noticed, or the check would prove nothing.
set -u
model=$(readlink -f "$(dirname "$0")/../model/slots.pml")
work=$(mktemp -d) && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
count=0

verdict() { # STATUS NAME
    count=$((count + 1))
    [ "$1" = 0 ] && echo "ok $count $2" || echo "not ok $count $2"
}

check() { # PROPERTY OPTION...: complete and without an error. PROPERTY: assertions, or the name of an ltl formula
    local search=(-DNOCLAIM) options=() property=$1; shift
    [ "$property" = assertions ] || { search=(); options=(-a -N "$property"); }
    rm -f pan pan.log
    spin "$@" -a "$model" >spin.log 2>&1 && gcc -O2 -DNOREDUCE -DMEMLIM=1900 "${search[@]}" -o pan pan.c 2>gcc.log &&
        timeout 500 ./pan -m100000 -w22 "${options[@]}" >pan.log 2>&1
    local code=$?
    sed 's/^/# /' spin.log gcc.log pan.log 2>/dev/null | grep -E 'rror|states, stored|total actual'
    [ "$code" = 0 ] && grep -qs 'errors: 0$' pan.log && ! grep -q 'not completed' pan.log
}

caught() { # a rule is missing: an assertion must fail, in a search that ran
    check assertions -DSLOTS=2 "-D$1" >/dev/null && return 1
    grep -qs 'assertion violated' pan.log
}

check assertions -DSLOTS=3 -DPAUSES=0 -DLOST=0; verdict $? "three slots, two crashes: one object a slot, none is lost"
check assertions -DSLOTS=2; verdict $? "two slots, two crashes, a leader that stands still, a lost answer"
check settles -DSLOTS=2 -DCRASHES=1 -DLOST=0; verdict $? "every slot is decided at last"
for rule in DELETE_EARLY MARK_EARLY NO_RETENTION NO_FENCE NO_VERSION FORGET_OPEN; do
    caught $rule; verdict $? "$rule is caught"
done
echo "1..$count"
