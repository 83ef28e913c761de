-- A template for commands of a shell: the command is the job's args, so that all with the same variables share it.
local json = require "json"

-- env: {{name=, value=}, …}
return function(shell, env, options)
  return {apiVersion = "v1", kind = "Pod", spec = {restartPolicy = "Never", containers = json.array {{
    name = "main", image = options.image, command = json.array {shell or "/bin/sh", "-c"},
    env = #env > 0 and json.array(env) or nil,
  }}}}
end
