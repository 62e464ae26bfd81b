--- What the benches share: one value a round, medians and quartiles, and comparisons made round by round, so that a machine
--- whose speed drifts doesn't favour who was measured in its better minutes.
local host = require "submitter.host"

local figures = {}

--- The value or an error, for results of the kind nil, message.
function figures.must(value, message)
  if value == nil then error(message, 2) end
  return value
end

--- How long a function takes.
---@return number milliseconds
function figures.elapsed_ms(body, ...)
  local began = host.clock.monotonic_us()
  body(...)
  return (host.clock.monotonic_us() - began) / 1000
end

--- The value below which that share of the values lies.
---@param values number[]
---@param share number 0.5 for the median
function figures.quantile(values, share)
  local ordered = table.move(values, 1, #values, 1, {})
  table.sort(ordered)
  return ordered[math.max(1, math.ceil(#ordered * share))]
end

--- The median.
---@param values number[]
function figures.median(values)
  return figures.quantile(values, 0.5)
end

--- Value by value, what a function makes of both.
---@param combine fun(value:number, base:number):number
function figures.paired(values, base, combine)
  local result = {}
  for index, value in ipairs(values) do result[index] = combine(value, base[index]) end
  return result
end

--- The median of the values over those of the same rounds.
function figures.ratio(values, base)
  return figures.median(figures.paired(values, base, function(value, other) return value / other end))
end

--- The median of the values less those of the same rounds.
function figures.difference(values, base)
  return figures.median(figures.paired(values, base, function(value, other) return value - other end))
end

--- "1.23 ms  (1.10 to 1.40)": the median and the quartiles.
function figures.spread(values, unit)
  return ("%9.2f %s  (%.2f to %.2f)"):format(figures.median(values), unit, figures.quantile(values, 0.25),
    figures.quantile(values, 0.75))
end

--- Keeps what was measured beside the programs, as JSON.
---@async
---@param name string of the file, in the folder bench
function figures.keep(name, measured)
  local build = host.system.executable():match "^(.*)/"
  local folder = figures.must(host.file.directory(build .. "/bench", { create = true }))
  figures.must(folder:write(name, host.json.encode(measured, { indent = 2 }) .. "\n"))
end

return figures
