-- Requests as most services want them.
local cjson = require "cjson"
local sys = require "sys"

local post = {}

-- The table as JSON to config.url, or to `url`. More headers win.
function post.json(config, body, headers, url)
  local request = {
    method = "POST", url = url or config.url, timeout = config.timeout, ca_file = config.ca_file,
    headers = {["Content-Type"] = "application/json", ["User-Agent"] = "kube-scheduler/" .. sys.version},
    body = cjson.encode(body),
  }
  for name, value in pairs(headers or {}) do request.headers[name] = value end
  return request
end

-- The address without slashes at its end; or nil and what is wrong, without it, for it may be a secret.
function post.address(name, value)
  if type(value) == "string" and value:find "^https?://[^/%s]+[^%s]*$" then return (value:gsub("/+$", "")) end
  return nil, name .. " is not an address that begins with https://"
end

return post
