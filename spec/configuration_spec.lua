local host = require "submitter.host"
local configuration = require "submitter.configuration"
local support = require "spec.support"

describe("configuration", function()
  local root

  before_each(function()
    root = support.directory()
  end)

  after_each(support.clean)

  local function load(text, environment, options)
    options = options or {}
    if text then
      assert(root:write("submitter.lua", text))
      options.path = root:path() .. "/submitter.lua"
    end
    options.getenv = function(name) return (environment or {})[name] end
    options.system_file = options.system_file or root:path() .. "/none.lua"
    return configuration.load(options)
  end

  local function refused(text, pattern, environment)
    local result, message, code = load(text, environment)
    assert.is_nil(result)
    assert.are.equal("environment", code)
    assert.matches(pattern, message)
  end

  describe("load", function()
    it("refuses a file that doesn't end, or throws", function()
      refused("while true do end", "submitter%.lua: it doesn't come to an end")
      refused("error 'no idea'", "submitter%.lua:1: no idea")
      refused("local text = 'x' while true do text = text .. text end", "submitter%.lua: not enough memory")
    end)

    it("refuses an empty path, but not an empty variable", function()
      local result, message, code = configuration.load { path = "" }
      assert.is_nil(result)
      assert.matches("^%-%-config names no file", message)
      assert.are.equal("environment", code)
      assert(load(nil, { SUBMITTER_CONFIG = "" }))
    end)

    it("has a default for everything", function()
      local settings = assert(load())
      assert.are.same({
        var = "./var",
        slots = host.system.processors(),
        visibility_ms = 30000,
        failure_limit = 5,
        retry_delay_ms = 1000,
        runner = "sandbox",
        accounting = "cgroup",
        source_limit_bytes = 1 << 20,
        document_limit_bytes = 64 << 10,
        policy = { from_bucket = false, limits = { memory_bytes = 1 << 30, cpu_ms = 60000, wall_ms = 180000,
          output_bytes = 16 << 20, processes = 64, file_bytes = 256 << 20 } },
        log = { format = "auto", level = "info" },
      }, settings)
    end)

    it("reads a file", function()
      local settings = assert(load [[
        local megabyte = 1024 * 1024
        return {
          var = "/srv/submitter", slots = math.max(2, 3), visibility = "2s", source_limit = 2 * megabyte,
          python = "/usr/bin/python3.11", cgroup_parent = "/submitter",
          processors = 1.5, policy = { from_bucket = true, limits = { files = "1G" } },
          log = { format = ("JSON"):lower() },
        }
      ]])
      assert.are.equal("/srv/submitter", settings.var)
      assert.are.equal(3, settings.slots)
      assert.are.equal(2000, settings.visibility_ms)
      assert.are.equal(2 << 20, settings.source_limit_bytes)
      assert.are.equal("/usr/bin/python3.11", settings.python)
      assert.are.equal("/submitter", settings.cgroup_parent)
      assert.are.equal(1.5, settings.processors)
      assert.are.equal(1 << 30, settings.policy.limits.file_bytes)
      assert.are.equal(1 << 30, settings.policy.limits.memory_bytes)
      assert.is_true(settings.policy.from_bucket)
      assert.are.equal("json", settings.log.format)
      assert.are.equal(root:path() .. "/submitter.lua", settings.file)
    end)

    it("takes the argument, else SUBMITTER_CONFIG, else the system's file", function()
      assert(root:write("variable.lua", "return { slots = 2 }"))
      assert(root:write("system.lua", "return { slots = 3 }"))
      local environment = { SUBMITTER_CONFIG = root:path() .. "/variable.lua" }
      local system_file = root:path() .. "/system.lua"
      assert.are.equal(1, load("return { slots = 1 }", environment, { system_file = system_file }).slots)
      assert.are.equal(2, load(nil, environment, { system_file = system_file }).slots)
      assert.are.equal(3, load(nil, {}, { system_file = system_file }).slots)
      assert.are.equal(3, load(nil, { SUBMITTER_CONFIG = "" }, { system_file = system_file }).slots)
    end)

    it("wants a named file to be there, and the system's to be readable", function()
      local result, message, code = configuration.load { path = root:path() .. "/no.lua" }
      assert.is_nil(result)
      assert.are.equal("environment", code)
      assert.matches("named by %-%-config: .*no%.lua: No such file", message)
      result, message = load(nil, { SUBMITTER_CONFIG = root:path() .. "/no.lua" })
      assert.is_nil(result)
      assert.matches("named by SUBMITTER_CONFIG", message)
      assert(root:make("folder"))
      result, message = load(nil, {}, { system_file = root:path() .. "/folder" })
      assert.is_nil(result)
      assert.matches("folder: Is a directory", message)
      assert(root:write("system.lua", "return {"))
      result, message = load(nil, {}, { system_file = root:path() .. "/system.lua" })
      assert.is_nil(result)
      assert.matches("system.lua:1:", message)
      -- A path below a file: there is none.
      assert.is_table(load(nil, {}, { system_file = root:path() .. "/system.lua/x" }))
    end)

    it("lets the environment win over the file", function()
      local text = "return { var = '/srv/a', policy = { directory = '/srv/p' } }"
      local settings = assert(load(text, { SUBMITTER_VAR = "/srv/b", SUBMITTER_POLICY = "policies" }))
      assert.are.equal("/srv/b", settings.var)
      assert.are.equal("policies", settings.policy.directory)
      settings = assert(load(text, { SUBMITTER_VAR = "", SUBMITTER_POLICY = "" }))
      assert.are.equal("/srv/a", settings.var)
      assert.are.equal("/srv/p", settings.policy.directory)
      settings = assert(load(nil, { SUBMITTER_VAR = "b", SUBMITTER_POLICY = "p" }))
      assert.are.equal("b", settings.var)
      assert.are.equal("p", settings.policy.directory)
    end)

    it("counts relative paths in a file from its folder", function()
      local settings = assert(load "return { var = 'var', policy = { directory = '../policies' } }")
      assert.are.equal(root:path() .. "/var", settings.var)
      assert.are.equal(root:path() .. "/../policies", settings.policy.directory)
      assert.are.equal("./var", assert(load "return {}").var)
    end)

    it("shows the file nothing but plain functions and the environment", function()
      local settings = assert(load("return { cgroup_parent = getenv 'GROUP' or 'none' }", { GROUP = "/g" }))
      assert.are.equal("/g", settings.cgroup_parent)
      for _, name in ipairs { "io", "os", "require", "load", "loadfile", "dofile", "debug", "package", "_G",
        "setmetatable", "getmetatable", "rawset", "collectgarbage", "coroutine" } do
        refused("local x = " .. name .. " return {}", ('unknown name "%s"'):format(name))
      end
      assert(load "string.rep = nil table.concat = nil return {}")
      assert.is_function(string.rep)
      assert.is_function(table.concat)
    end)

    it("names file and line of what is wrong in it", function()
      refused("return {\n  slots = = 2\n}", "submitter%.lua:2:")
      refused("return {\n}\n\nerror 'no'", "submitter%.lua:4:")
      refused("local x = nil\nreturn { slots = x.y }", "submitter%.lua:2:")
      refused("error { 'odd' }", "submitter%.lua")
      refused("return 5", "returns a table; this returned a number")
      refused("", "returned nothing")
      refused("\27Lua", "submitter%.lua")
      refused(string.dump(function() return {} end), "submitter%.lua")
      refused(("-"):rep((1 << 20) + 1), "larger than 1M")
    end)

    it("doesn't mind a table that is used twice", function()
      assert.is_table(load "local none = {} return { policy = none, log = none }")
    end)

    it("accepts a first line for the shell and a byte order mark", function()
      assert.are.equal(2, assert(load "#!/usr/bin/env lua\nreturn { slots = 2 }").slots)
      assert.are.equal(2, assert(load "\xEF\xBB\xBFreturn { slots = 2 }").slots)
      refused("#!/usr/bin/env lua\nreturn { slots = = 2 }", "submitter%.lua:2:")
    end)

    it("names fields that are unknown or wrong", function()
      refused("return { slot = 2 }", 'slot: unknown field; did you mean "slots"?')
      refused("return { slots = 0 }",
        "submitter%.lua: slots: expected a whole number from 1 to 1024, found the number 0")
      refused("return { visibility = 30 }", 'visibility: expected a duration with its unit, such as "30s"')
      refused("return { policy = { limits = { memory = '2T' } } }", "policy%.limits%.memory: expected a size")
      refused("return { source_limit = '17M' }", "source_limit: expected a size .* from 1K to 16M")
      refused("return { policy = 5 }", "policy: expected a table")
      refused("return { python = 'python3' }", "python: expected an absolute path")
      refused("return { var = '' }", "var: expected a text, found an empty text")
      refused("return { runner = 'docker' }", 'runner: expected "sandbox", found "docker"')
      refused("return { cgroup_parent = 'submitter' }", "cgroup_parent: expected an absolute path")
      refused("return { processors = 0 }", "processors: expected a number from 0.1 to 1024")
      refused("return { processors = 1, accounting = 'rlimit' }", "processors: a share of them takes control groups")
      assert.are.equal("rlimit", assert(load "return { accounting = 'rlimit' }").accounting)
      refused("return { log = { level = 'warning' } }", 'log%.level: expected one of .* did you mean "warn"?')
    end)

    it("throws on options that it doesn't know", function()
      assert.has_error(function() configuration.load { file = "x" } end)
    end)
  end)

  describe("open", function()
    local function settings_for(changes)
      local settings = assert(load())
      settings.var = root:path() .. "/deep/var"
      for name, value in pairs(changes or {}) do
        settings[name] = value
      end
      return settings
    end

    it("makes what is missing and opens the rooms", function()
      local rooms = assert(configuration.open(settings_for()))
      assert.are.equal(root:path() .. "/deep/var", rooms.directory:path())
      assert(rooms.store:put("/a/b", "1"))
      assert.are.equal("1", root:read("deep/var/bucket/a/b"))
      assert(rooms.queue:send("x"))
      assert.are.equal(1, #root:list("deep/var/queue/ready"))
      assert.are.equal(30000, rooms.queue.visibility_ms)
      local folder = assert(rooms.jobs:make(("0"):rep(32)))
      assert.matches("/deep/var/jobs/[^/]+/0+%.1$", folder.path)
      assert.are.equal(tonumber("700", 8), root:stat("deep/var/jobs").mode)
      assert.are.equal(root:path() .. "/deep/var/policy", rooms.policy_directory:path())
      rooms:close()
      assert.are.same({}, root:list("deep/var/jobs"))
      -- And once more, over what stands.
      rooms = assert(configuration.open(settings_for()))
      assert.are.equal("1", (rooms.store:get("a/b")))
      assert.are.equal("x", rooms.queue:receive()[1].body)
      rooms:close()
    end)

    it("makes no jobs folder for who grades nothing, and doesn't mind one that he may not open", function()
      local rooms = assert(configuration.open(settings_for(), { jobs = false }))
      assert.is_nil(rooms.jobs)
      assert.is_nil(root:stat("deep/var/jobs"))
      rooms:close()
      -- As good as a folder of another user's: it can't be opened.
      assert(root:write("deep/var/jobs", ""))
      assert(configuration.open(settings_for(), { jobs = false })):close()
      assert.is_nil(configuration.open(settings_for()))
    end)

    it("opens the policy directory that is named, and makes none", function()
      assert(root:make("policies"))
      local settings = settings_for()
      settings.policy.directory = root:path() .. "/policies"
      local rooms = assert(configuration.open(settings, { jobs = false }))
      assert.are.equal(root:path() .. "/policies", rooms.policy_directory:path())
      rooms:close()
      settings.policy.directory = root:path() .. "/missing"
      local none, message, code = configuration.open(settings, { jobs = false })
      assert.is_nil(none)
      assert.are.equal("environment", code)
      assert.matches("missing can't be opened: .*SUBMITTER_POLICY", message)
    end)

    it("says what to do when the folder can't be made", function()
      assert(root:write("file", "x"))
      local none, message, code = configuration.open(settings_for { var = root:path() .. "/file/var" })
      assert.is_nil(none)
      assert.are.equal("environment", code)
      assert.matches("SUBMITTER_VAR", message)
      assert(root:make("var"))
      assert(root:write("var/queue", "x"))
      none, message = configuration.open(settings_for { var = root:path() .. "/var" })
      assert.is_nil(none)
      assert.matches("var/queue: .*SUBMITTER_VAR", message)
    end)
  end)
end)
