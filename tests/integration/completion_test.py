#!/usr/bin/python3
"""Completion: what the binary offers, and that bash, zsh and fish offer it."""

import os
import subprocess

from harness import BINARY, main, run_binary, temporary_folder, test

JOB = "{cron: '0 0 1 1 *', template: pod.yml}"


def folder():
    path = temporary_folder()
    with open(os.path.join(path, "schedule.yml"), "w") as file:
        file.write(f"payroll: {JOB}\npayslips: {JOB}\nother: {JOB}\n")
    with open(os.path.join(path, "pod.yml"), "w") as file:
        file.write("{apiVersion: v1, kind: Pod, spec: {containers: [{name: main, image: busybox}]}}\n")
    return path


def offered(*words, cwd=None):
    done = run_binary(["complete", *words], cwd=cwd or folder())
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


@test("commands, options, their values and job names are offered, files where we know nothing", seconds=60)
def _():
    assert offered("si") == ["silence", "simulate"]
    assert {"run", "check", "trigger"} <= set(offered("")) and "daemon" not in offered("")
    assert {"--parallel", "--dry-run", "--help"} <= set(offered("backfill", "--"))
    assert {"--listen", "--strict"} <= set(offered("run", "--"))
    assert offered("jobs", "-o", "") == ["table", "wide", "json", "yaml", "name"]
    assert offered("jobs", "--format=js") == offered("jobs", "--format", "=", "js") == ["json"]
    assert offered("trigger", "pay") == ["payroll", "payslips"]
    assert offered("silence", "") == ["other", "payroll", "payslips", "all"]
    assert offered("trigger", "--dir", "") == offered("check", "") == offered("nothing", "") == []
    assert offered("trigger", "--dir", folder(), "o", cwd="/") == ["other"]


def shell(name, *command, **options):
    environment = {**os.environ, "PATH": os.path.dirname(BINARY) + ":" + os.environ["PATH"], "TERM": "dumb"}
    return subprocess.run([name, *command], cwd=folder(), env=environment, capture_output=True, text=True, timeout=60,
                          **options)


@test("bash completes", seconds=60)
def _():
    done = shell("bash", "--norc", "-c", """source <(kube-scheduler completion bash)
        COMP_WORDS=(kube-scheduler trigger pay) COMP_CWORD=2; _kube_scheduler; printf '%s\\n' "${COMPREPLY[@]}"
        complete -p kube-scheduler""")
    assert done.stdout.split("\n")[:2] == ["payroll", "payslips"], done
    assert "_kube_scheduler kube-scheduler" in done.stdout, done


@test("fish completes", seconds=60)
def _():
    done = shell("fish", "--no-config", "-c",
                 "kube-scheduler completion fish | source; complete -C 'kube-scheduler trigger pay'")
    assert done.stdout.split() == ["payroll", "payslips"], done


@test("zsh completes", seconds=60)
def _():
    # As compdef would: the words of the line, and compadd to see what is offered.
    done = shell("zsh", "-f", "-c", """words=(kube-scheduler trigger pay) CURRENT=3
        compadd() { print -l -- "$@" }; _files() { print files }
        source <(kube-scheduler completion zsh)""")
    assert done.stdout.split() == ["--", "payroll", "payslips"], done


main()
