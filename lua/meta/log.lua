---@meta submitter.core.log
--- Lines on standard error, each one write: JSON objects (time, level, event, then fields by name), or a human form.
local log = {}
--- format: "json", "human", or "auto" (human on a terminal; the default). level: "debug", "info" (default), "warn", "error".
---@param options {format:string|nil, level:string|nil}
function log.configure(options) end
--- Fields are strings, numbers, booleans; control characters never reach a terminal raw.
---@param event string a word for machines: "submission_published"
---@param fields table<string, any>|nil
function log.debug(event, fields) end
function log.info(event, fields) end
function log.warn(event, fields) end
function log.error(event, fields) end
return log
