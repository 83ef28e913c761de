#compdef kube-scheduler
# zsh completion of kube-scheduler: it says itself what may stand for a word; where it says nothing, files may.
local -a found
found=(${(f)"$(${(Q)words[1]} complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)"})
if (( $#found )); then compadd -- $found; else _files; fi
