-- The dashboard (core/http/page/): its files, out of the binary or from --lua-path. They hold nothing secret, so they
-- need no token; what they ask the API does. The policy lets the page run its own files and ask its own server, no
-- more, and no text can become markup.
local bundled = require "bundled"
local reply = require "web.reply"

local page = {}

local FOLDER <const> = "core/http/page/"

local types = {html = "text/html; charset=utf-8", css = "text/css; charset=utf-8",
  js = "text/javascript; charset=utf-8", svg = "image/svg+xml"}

local POLICY <const> = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " ..
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " ..
  "require-trusted-types-for 'script'; trusted-types 'none'"

local function respond(name)
  local extension = name:match "^%w+%.(%l+)$"
  local text = extension and types[extension] and bundled.read(FOLDER .. name)
  if not text then return reply.error(404, ("there is no file '%s' of the page"):format(name)) end
  return {status = 200, body = text, headers = {["Content-Type"] = types[extension],
    ["Content-Security-Policy"] = POLICY, ["X-Content-Type-Options"] = "nosniff", ["X-Frame-Options"] = "DENY",
    ["Referrer-Policy"] = "no-referrer", ["Cross-Origin-Opener-Policy"] = "same-origin",
    ["Cross-Origin-Resource-Policy"] = "same-origin"}}
end

function page.routes()
  return {
    {"GET", "/", function() return respond "index.html" end, open = true, summary = "The dashboard"},
    {"GET", "/page/{name}", function(request) return respond(request.segments.name) end, open = true,
      summary = "A file of it"},
  }
end

return page
