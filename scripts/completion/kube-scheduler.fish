# fish completion of kube-scheduler: it says itself what may stand for a word; where it says nothing, files may.
function __kube_scheduler_complete
    set -l words (commandline -opc)
    $words[1] complete $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c kube-scheduler -n 'count (__kube_scheduler_complete) >/dev/null' -f -a '(__kube_scheduler_complete)'
