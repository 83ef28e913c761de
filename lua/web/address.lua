-- Where to listen: "8080", ":8080", "127.0.0.1:8080", "[::1]:8080", "0.0.0.0:8080".
local address = {}

-- {address=, port=, loopback=}; without an address the loopback one. Or nil and what to write.
function address.parse(text)
  local host, port = text:match "^%[?([%x:.]-)%]?:?(%d+)$"
  port = math.tointeger(tonumber(port))
  if not port or port > 65535 then
    return nil, ("--listen %s: PORT or ADDRESS:PORT expected, such as 8080, 0.0.0.0:8080 or [::1]:8080"):format(text)
  end
  if host == "" then host = "127.0.0.1" end
  return {address = host, port = port, loopback = host == "::1" or host:match "^127%." ~= nil}
end

return address
