-- kube-scheduler complete WORD…: what may stand for the last word, one a line. Shells ask it (scripts/completion).
local complete = require "complete"

for _, word in ipairs(complete.words(arg)) do print(word) end
return true
