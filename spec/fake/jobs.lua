--- Job directories in memory: `jobs.files` holds what was ever written, by path; `jobs.open` counts those not yet
--- removed; `jobs.state` is what the worker told last, `jobs.life` its last sign of life.
local Jobs = {}
Jobs.__index = Jobs

function Jobs:make(subid)
  self.count = self.count + 1
  local name = ("%s.%d"):format(subid, self.count)
  self.open = self.open + 1
  local jobs = self
  local directory = {}
  function directory:write(path, text) -- luacheck: ignore self
    jobs.files[path] = text
    return true
  end
  local folder = { directory = directory, path = "/jobs/" .. name, name = name }
  folder.remove = function()
    if not folder.removed then
      folder.removed = true
      jobs.open = jobs.open - 1
    end
    return true
  end
  return folder
end

function Jobs:tell(state)
  self.state = state
  return true
end

function Jobs:beat(life)
  self.life = life
  return true
end

return {
  open = function() return setmetatable({ files = {}, count = 0, open = 0 }, Jobs) end,
}
