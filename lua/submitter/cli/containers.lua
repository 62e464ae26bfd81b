--- What an engine of containers is and can do, for `submitter doctor`: what its answers mean. Findings are as those of
--- machine.lua.
local probe = require "submitter.engine.probe"

local containers = {}

local engine_names = { docker = "Docker", podman = "Podman" }

local function finding(state, name, text, remedy)
  return { state = state, name = name, text = text, remedy = remedy }
end

local function of_engine(facts)
  return finding("ok", "engine", ("%s %s at %s, API %s, runtime %s, control groups v%s by %s"):format(
    engine_names[facts.engine] or facts.engine, facts.version, facts.socket, facts.api_version, facts.runtime,
    facts.cgroup_version, facts.cgroup_driver))
end

local REMEDY_LIMITS = "let the engine have control groups (rootless: delegate them to its user), or limits end nothing"

local function of_limits(facts, settings)
  local lacking = {}
  for _, name in ipairs { "memory", "processes" } do
    if not facts.limits[name] then lacking[#lacking + 1] = name end
  end
  if settings.processors and not facts.limits.processors then lacking[#lacking + 1] = "processors" end
  if #lacking > 0 then
    return finding("fail", "engine limits", "it can't bound: " .. table.concat(lacking, ", "), REMEDY_LIMITS)
  elseif not facts.limits.swap then
    return finding("warn", "engine limits", "it can't bound swap: programs can have more memory than allowed",
      "boot with swapaccount=1, or switch swap off: swapoff -a")
  end
  return finding("ok", "engine limits", "memory, swap, processes"
    .. (facts.limits.processors and ", processors" or ""))
end

-- The inner walls hold without any of these; each is one wall more.
local function of_security(facts, settings)
  local security = facts.security
  if not security.seccomp then
    return finding("warn", "engine rights", "it filters no system calls: what supervises programs may make any",
      "use an engine built with seccomp; programs themselves are filtered by their own walls")
  elseif settings.apparmor and not security.apparmor then
    return finding("warn", "engine rights", ("it has no AppArmor, so the profile %s counts for nothing"):format(
      settings.apparmor), "leave apparmor out of docker { … }, or see why AppArmor isn't loaded")
  end
  local users = security.rootless and "the engine is an ordinary user's"
    or security.user_namespaces and settings.user_namespace ~= "host" and "user ids are mapped"
    or "root in a container is the machine's, with no right but to change its user"
  return finding("ok", "engine rights", "system calls are filtered; " .. users)
end

-- How an engine's own command is told to use a socket that isn't the one it takes by itself.
local clients = {
  docker = { usual = "/run/docker.sock", word = "-H" }, podman = { usual = "/run/podman/podman.sock", word = "--url" },
}

local function build(facts, base, image)
  local client = clients[facts.engine]
  local command = client and facts.socket ~= client.usual
    and ("%s %s unix://%s"):format(facts.engine, client.word, facts.socket) or facts.engine
  return ("%s build -f docker/runner.Dockerfile --build-arg BASE=%s -t %s ."):format(command, base, image)
end

local function of_image(facts, settings)
  local rebuild = ("build it, in BASE's place an image with the Python (docker/README.md): %s"):format(
    build(facts, "…", settings.image))
  local image = facts.image
  if not image then
    return finding("fail", "image", facts.image_problem, rebuild .. "; or pull it")
  elseif image.protocol and image.protocol ~= probe.PROTOCOL then
    return finding("fail", "image", ("%s is of another version: its runner speaks protocol %d, this program %d"):format(
      settings.image, image.protocol, probe.PROTOCOL), rebuild)
  elseif not image.protocol or not image.has_entry_point then
    return finding("warn", "image", settings.image .. " doesn't say that it has submitter's runner in it",
      ("build one on it, and name that one: %s"):format(build(facts, settings.image, "NAME")))
  elseif image.has_volumes then
    return finding("warn", "image", settings.image .. " declares volumes: the engine makes them with every container",
      "build it on a base without VOLUME")
  end
  return finding("ok", "image", ("%s, %s"):format(settings.image, image.id:sub(1, 19)))
end

-- What to do about an engine that can't be asked, by the name that its fault's message begins with.
local remedies = {
  ["engine slow"] = "see what keeps it busy; patience in docker { … } says how long an answer may take",
  ["engine closed to this user"] = "usermod --append --groups GROUP USER, and log in or start the worker anew",
}

--- What an engine's answers mean.
---@param facts EngineFacts|nil of submitter.engine.probe
---@param settings table the fields of docker { … }, with `processors` of the configuration
---@param problem string|nil why there are no facts
---@return table[] findings
function containers.judge(facts, settings, problem)
  if not facts then
    return { finding("fail", "engine", problem, remedies[problem:match "^[^:]+"] or "start it, and see socket in "
      .. "docker { … }, SUBMITTER_RUNNER_SOCKET and DOCKER_HOST or CONTAINER_HOST") }
  end
  return { of_engine(facts), of_limits(facts, settings), of_security(facts, settings), of_image(facts, settings) }
end

return containers
