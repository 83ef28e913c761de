-- The API's description for programs, made of its routes: openapi.of(routes) -> a document of OpenAPI 3.1.
local json = require "json"
local sys = require "sys"
local text = require "text"

local openapi = {}

local STATUS = {["$ref"] = "#/components/responses/Status"}

local function parameters(route)
  local out = {}
  for name in route[2]:gmatch "{(%w+)}" do
    out[#out + 1] = {name = name, ["in"] = "path", required = true, schema = {type = "string"}}
  end
  for _, name in ipairs(text.keys(route.query or {})) do
    out[#out + 1] = {name = name, ["in"] = "query", description = route.query[name], schema = {type = "string"}}
  end
  return json.array(out)
end

local function body_of(route)
  if route[1] ~= "POST" then return nil end
  if not route.body then return {required = true, content = {["application/yaml"] = {schema = {type = "string"}}}} end
  local properties = {}
  for name, kind in pairs(route.body) do
    properties[name] = kind == "array" and {type = kind, items = {type = "string"}} or {type = kind}
  end
  return {content = {["application/json"] = {schema = {type = "object", properties = json.object(properties)}}}}
end

-- "GET /v1/jobs/{namespace}/{job}/next" -> "getJobsNext"
local function id_of(route)
  local id, words = route[1]:lower(), route[2]:gsub("/v1", ""):gsub("{[^}]*}", "")
  for word in words:gmatch "%a+" do id = id .. word:sub(1, 1):upper() .. word:sub(2) end
  return id .. (route[2]:match "}$" and "One" or "")
end

local types = {["/v1/events"] = "text/event-stream", ["/v1/runs/{id}/log"] = "text/plain"}

local function operation(route)
  local media = types[route[2]] or "application/json"
  local status = (route[2]:match "/trigger$" or route[2]:match "/backfill$") and "202" or "200"
  local schema = media == "application/json" and {type = "object"} or {type = "string"}
  return {operationId = id_of(route), summary = route.summary, parameters = parameters(route),
    requestBody = body_of(route),
    responses = {[status] = {description = "done", content = {[media] = {schema = schema}}}, ["4XX"] = STATUS}}
end

function openapi.of(routes)
  local paths = {}
  for _, route in ipairs(routes) do
    paths[route[2]] = paths[route[2]] or {}
    paths[route[2]][route[1]:lower()] = operation(route)
  end
  local failure = {type = "object", properties = {kind = {type = "string"}, code = {type = "integer"},
    reason = {type = "string"}, message = {type = "string"}, details = {type = "object"}}}
  return {
    openapi = "3.1.0",
    info = {title = "Kube Scheduler", version = sys.version, summary = "Jobs, their slots and runs",
      license = {name = "MIT", identifier = "MIT"}},
    servers = json.array {{url = "/"}}, security = json.array {{token = json.array {}}, json.object {}}, paths = paths,
    components = {
      securitySchemes = {token = {type = "http", scheme = "bearer"}},
      responses = {Status = {description = "why not", content = {["application/json"] = {schema = failure}}}},
    },
  }
end

return openapi
