-- kube-scheduler --help
print [[
usage: kube-scheduler [COMMAND] [OPTIONS]

  run                  the daemon (default): runs the jobs of schedule.yml at their slots
  check [FILE…]        prints every mistake of a schedule, each at its place
  next EXPR|JOB        prints when an expression or a job runs next
  explain EXPR|JOB     says it in words, with what daylight saving does to it
  explain JOB SLOT     why that slot ran, or did not
  template JOB         prints the manifest that would be created
  simulate             what the schedule would do in a window of time; nothing runs
  repl                 Lua at a prompt: a schedule, its hooks and a clock to turn
  test [DIR]           runs the tests *_test.lua of a folder of hooks
  replay FILE          shows what the hooks do with events that run --record wrote

of a running scheduler:
  jobs, status         what there is, who leads, what is held, paused or under way
  history [JOB]        what became of runs and slots
  logs JOB|RUN [-f]    the output of a run
  trigger JOB          runs a job now
  suspend [JOB]        no slots until resumed, or until a time; resume [JOB]
  silence JOB|all      no alerts until a time; unsilence JOB|all
  backfill JOB FROM TO runs past slots

  import FILE…|--live  other schedulers' jobs as a schedule; export [JOB…] as CronJobs
  cut-over JOB         takes over from a CronJob without losing or doubling a slot
  completion SHELL     what bash, zsh or fish need to complete commands and jobs
  FILE.lua [ARGS…]     a program of your own on the same modules
  version

kube-scheduler COMMAND --help tells a command's options.]]
