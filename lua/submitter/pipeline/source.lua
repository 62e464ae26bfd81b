--- Whether a program can be handed to the interpreter at all.
local source = {}

--- Python itself refuses NUL bytes and an empty file is surely an upload that failed: better said than run.
---@param text string
---@param name string what to call it
---@return true|nil
---@return string|nil message
---@return string|nil code "rejected"
function source.check(text, name)
  if text == "" then return nil, ("%s is empty; hand in a program"):format(name), "rejected" end
  local position = text:find("\0", 1, true)
  if position then
    return nil, ("%s is no Python source: there is a NUL byte at offset %d; save it as UTF-8 text"):format(
      name, position - 1), "rejected"
  end
  return true
end

--- The same as a step of a pipeline that fetches nothing.
---@param job table
function source.step(job)
  return source.check(job.source, "the program")
end

return source
