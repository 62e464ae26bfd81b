---@meta submitter.core.json
--- lua-cjson wrapped: integers exact, empty arrays, stable order of keys.
local json = {}
--- JSON's null.
json.null = nil
--- Marks a table as an array, also when it is empty. Returns it.
---@generic T: table
---@param list T
---@return T
function json.array(list) end
--- Marks a table as an object whose keys come out in the order given (others follow, sorted by bytes). Returns it.
---@generic T: table
---@param order string[]
---@param object T
---@return T
function json.ordered(order, object) end
--- Throws on what JSON can't hold (functions, NaN, cycles, invalid UTF-8 is passed on). A table with elements 1…n and nothing else is an array, {} an object; keys are
--- sorted by bytes. indent: spaces a level, for people.
---@param value any
---@param options {indent:integer}|nil
---@return string
function json.encode(value, options) end
--- nil, message, "json" when it isn't JSON. Arrays come marked, so that an empty one stays one. Integers that fit 64 bits come as integers.
---@param source string
---@return any, string|nil, string|nil
function json.decode(source) end
return json
