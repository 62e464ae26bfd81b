---@meta submitter.core.pattern
--- `string.find`, `match`, `gmatch` and `gsub` of Lua 5.4, the same in all but one thing: what they may take is bounded. A
--- pattern of a few bytes can keep Lua's own busy for hours in one C call that nothing interrupts.
local pattern = {}
--- Fills the account of steps that the four functions draw on, all calls together; about 200 million a second. At the start it
--- is empty. A call that finds it empty throws "the pattern takes more steps …".
---@param steps integer
function pattern.budget(steps) end
--- As string.find; as its fourth argument says, a plain search, which costs no steps.
function pattern.find(text, wanted, first, plain) end
function pattern.match(text, wanted, first) end
function pattern.gmatch(text, wanted, first) end
--- As string.gsub; the result has at most 16 MiB.
function pattern.gsub(text, wanted, replacement, count) end
return pattern
