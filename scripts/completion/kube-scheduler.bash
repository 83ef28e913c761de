# bash completion of kube-scheduler: it says itself what may stand for a word; where it says nothing, files may.
_kube_scheduler() {
    local IFS=$'\n'
    # shellcheck disable=SC2207 # one a line, and no patterns among them
    COMPREPLY=($("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _kube_scheduler kube-scheduler
