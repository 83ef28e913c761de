-- Mail by SMTP, never in the clear: STARTTLS, or TLS from the first byte. Answers to the first mail of an incident, so
-- that a mail program shows them together.
local crypto = require "crypto"
local sys = require "sys"
local text = require "alert.sender.text"

local email = {fields = {
  host = {"string", required = true}, port = {"count", min = 1}, tls = {"choice", values = {"starttls", "implicit"}},
  from = {"string", required = true}, to = {"strings", required = true}, username = {"string"}, password = {"secret"},
}}

local TIMEOUT = 30
local PORTS = {starttls = 587, implicit = 465}
local SCHEMES = {starttls = "smtp", implicit = "smtps"}
local LINE_MAX = 76 -- of base64: RFC 2045, 6.8
local WORD_MAX = 45 -- bytes in an encoded word: RFC 2047, 2
local SUBJECT_MAX = 200

local function is_address(value) return type(value) == "string" and value:find "^[^%s<>@]+@[^%s<>@]+$" ~= nil end

function email.configure(_, settings)
  local tls = settings.tls or "starttls"
  if not (settings.host or ""):find "^[%w.:%[%]-]+$" then return nil, "email: host is not the name of a host" end
  for _, address in ipairs {settings.from or "", table.unpack(settings.to or {})} do
    if not is_address(address) then
      return nil, ("email: '%s' is not an address such as me@example.org"):format(address)
    end
  end
  if not settings.to or #settings.to == 0 then return nil, "email: to: at least one address expected" end
  return {
    url = ("%s://%s:%d/%s"):format(SCHEMES[tls], settings.host, settings.port or PORTS[tls],
      (sys.hostname():gsub("[^%w.-]", "-"))),
    from = settings.from, to = settings.to, username = settings.username, password = settings.password,
    timeout = settings.timeout or TIMEOUT, ca_file = settings.ca_file,
  }
end

-- One line of header text: ASCII as it is, else encoded words.
local function header(s)
  s = s:gsub("%c+", " ")
  if not s:find "[^\32-\126]" then return s end
  local words, word = {}, ""
  for character in s:gmatch(utf8.charpattern) do
    if #word + #character > WORD_MAX then
      words[#words + 1], word = word, ""
    end
    word = word .. character
  end
  words[#words + 1] = word
  for i, each in ipairs(words) do words[i] = ("=?UTF-8?B?%s?="):format(crypto.base64(each)) end
  return table.concat(words, "\r\n ")
end

local function content(event)
  local lines = {event.text, ""}
  for _, name in ipairs {"environment", "instance", "namespace", "job", "run", "slot", "attempt"} do
    if event[name] then lines[#lines + 1] = ("%s: %s"):format(name, event[name]) end
  end
  if event.log_tail then table.move({"", "Its last lines:", "", event.log_tail}, 1, 4, #lines + 1, lines) end
  return table.concat(lines, "\n"):gsub("\r?\n", "\r\n") .. "\r\n"
end

local function message(event, config)
  local encoded = crypto.base64(content(event)):gsub(("."):rep(LINE_MAX), "%0\r\n")
  return table.concat({
    "Date: " .. os.date("!%a, %d %b %Y %H:%M:%S +0000", event.time),
    "From: kube-scheduler <" .. config.from .. ">",
    "To: " .. table.concat(config.to, ",\r\n "),
    "Subject: " .. header(text.cut(event.text, SUBJECT_MAX)),
    ("Message-ID: <%s@kube-scheduler>"):format(event.id),
    ("References: <%s@kube-scheduler>"):format(event.key:sub(1, 32)),
    "Auto-Submitted: auto-generated",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: base64",
    "", encoded, "",
  }, "\r\n")
end

function email.build(event, config)
  return {url = config.url, mail_from = config.from, mail_to = config.to, username = config.username,
    password = config.password, timeout = config.timeout, ca_file = config.ca_file, body = message(event, config)}
end

-- curl says "RCPT failed: 550" and the like. 4xx is for now, 5xx for good: RFC 5321, 4.2.1.
function email.judge(response, err)
  if response then return "ok" end
  if err:find "Login denied" or err:find "STARTTLS" or err:find "SSL level" then return "suspend", 3600 end
  return err:find "failed: 5%d%d" and "final" or "retry"
end

return email
