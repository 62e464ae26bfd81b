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
        bucket = { kind = "directory" },
        queue = { kind = "directory" },
        cases = { kind = "bucket" },
        aws = {},
        slots = host.system.processors(),
        visibility_ms = 30000,
        failure_limit = 5,
        retry_delay_ms = 1000,
        runner = { kind = "sandbox" },
        runners = {},
        accounting = "cgroup",
        source_limit_bytes = 1 << 20,
        document_limit_bytes = 64 << 10,
        policy = { from_bucket = false, runners = { "default" }, limits = { memory_bytes = 1 << 30,
          cpu_ms = 60000, wall_ms = 180000, output_bytes = 16 << 20, processes = 64, file_bytes = 256 << 20 } },
        log = { format = "auto", level = "info" },
      }, settings)
    end)

    it("lets database and cases name each other", function()
      local usual = { kind = "postgres", url = "", pool = 4, connect_timeout_ms = 5000, statement_timeout_ms = 30000,
        final_grading = true }
      local function database(fields)
        local copy = {}
        for name, value in pairs(usual) do copy[name] = value end
        for name, value in pairs(fields) do copy[name] = value end
        return copy
      end
      local both = { kind = "first", { kind = "postgres" }, { kind = "bucket" } }
      for text, expected in pairs {
        ["database = postgres {}"] = { usual, both },
        ['cases = postgres { url = "service=grades", pool = 2 }'] =
          { database { url = "service=grades", pool = 2 }, { kind = "postgres" } },
        ["cases = first { bucket {}, postgres {} }"] =
          { usual, { kind = "first", { kind = "bucket" }, { kind = "postgres" } } },
        ['database = postgres { url = "host=db" }, cases = bucket {}'] =
          { database { url = "host=db" }, { kind = "bucket" } },
        ['database = postgres { url = "host=db" }, cases = postgres {}'] =
          { database { url = "host=db" }, { kind = "postgres" } },
      } do
        local settings = assert(load("return { " .. text .. " }"))
        assert.are.same(expected[1], settings.database, text)
        assert.are.same(expected[2], settings.cases, text)
      end
      local from_variable = assert(load("return { database = postgres { url = 'x', pool = 2 } }",
        { SUBMITTER_DATABASE_URL = "host=other" }))
      assert.are.same(database { url = "host=other", pool = 2 }, from_variable.database)
      assert.are.same(both, assert(load(nil, { SUBMITTER_DATABASE_URL = "host=other" })).cases)
      for text, expected in pairs {
        ["database = postgres { url = 'a' }, cases = postgres { url = 'b' }"] = "leave one out",
        ["cases = first {}"] = "expected from 1 to 2 elements",
        ["cases = first { s3 { name = 'abc' } }"] = "cases[1]: expected postgres {} or bucket {}",
        ["database = bucket {}"] = "database: expected postgres { … }",
        ["database = postgres { pool = 0 }"] = "database.pool",
        ["cases = postgres { size = 1 }"] = "database.size",
      } do
        local none, message = load("return { " .. text .. " }")
        assert.is_nil(none)
        assert.matches(expected, message, 1, true)
      end
    end)

    it("has mail where there is a database that knows the students", function()
      local text = 'mail = smtp { url = "smtps://mail.example.edu", from = "grader@example.edu"%s }'
      assert.are.equal("required", assert(load("return { database = postgres {}, " .. text:format "" .. " }")).mail.tls)
      local none, message = load("return { " .. text:format "" .. " }")
      assert.is_nil(none)
      assert.matches("mail: there is no database", message, 1, true)
      none, message = load("return { database = postgres {}, " .. text:format ", user = 'x'" .. " }")
      assert.is_nil(none)
      assert.matches("user is given without a password", message, 1, true)
      -- Two addresses, or what else no mail would go out with.
      for _, from in ipairs { "a,b@example.edu", "a:b@example.edu", "a[b@example.edu", "a\\\\b@example.edu" } do
        local changed = text:gsub("grader@example.edu", from):format ""
        none, message = load("return { database = postgres {}, " .. changed .. " }")
        assert.is_nil(none)
        assert.matches("expected an address, name@host", message, 1, true)
      end
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
      refused("return { runner = 'docker' }", 'runner: expected docker { … } or sandbox {}, found "docker"')
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

  describe("bucket and queue", function()
    local queue_url = "https://sqs.eu-central-1.amazonaws.com/123456789012/submissions"

    it("are directories unless something else is said", function()
      assert.are.same({ kind = "directory" }, assert(load "return { bucket = directory {} }").bucket)
      assert.are.same({ kind = "directory" }, assert(load "return { queue = directory() }").queue)
    end)

    it("may be Amazon's", function()
      local settings = assert(load([[return {
        bucket = s3 { name = "submissions", region = "eu-central-1", endpoint = "http://127.0.0.1:9000",
          path_style = true },
        queue = sqs { url = "]] .. queue_url .. [[", dead_letter_url = "]] .. queue_url .. [[-dead" },
        aws = { profile = "grader", region = "eu-west-1" },
      }]]))
      assert.are.same({ kind = "s3", name = "submissions", region = "eu-central-1", endpoint = "http://127.0.0.1:9000",
        path_style = true, conditional_writes = true }, settings.bucket)
      assert.are.same({ kind = "sqs", url = queue_url, dead_letter_url = queue_url .. "-dead" }, settings.queue)
      assert.are.same({ profile = "grader", region = "eu-west-1" }, settings.aws)
    end)

    it("may have the names that servers other than Amazon's take", function()
      assert.are.equal("My_bucket", assert(load 'return { bucket = s3 { name = "My_bucket" } }').bucket.name)
      for _, name in ipairs { "ab", "-abc", "a b", "a/b", "s3://abc", ("x"):rep(256) } do
        assert.is_nil(load(('return { bucket = s3 { name = "%s" } }'):format(name)), name)
      end
    end)

    it("are chosen by the environment, which wins over the file", function()
      local settings = assert(load(nil, { SUBMITTER_BUCKET = "submissions", SUBMITTER_QUEUE_URL = queue_url,
        SUBMITTER_DEAD_LETTER_URL = queue_url .. "-dead" }))
      assert.are.same({ kind = "s3", name = "submissions", conditional_writes = true }, settings.bucket)
      assert.are.same({ kind = "sqs", url = queue_url, dead_letter_url = queue_url .. "-dead" }, settings.queue)
      settings = assert(load('return { bucket = s3 { name = "other", region = "eu-west-1" } }',
        { SUBMITTER_BUCKET = "submissions", SUBMITTER_DEAD_LETTER_URL = queue_url }))
      assert.are.same({ kind = "s3", name = "submissions", region = "eu-west-1", conditional_writes = true },
        settings.bucket)
      assert.are.same({ kind = "directory" }, settings.queue)
      settings = assert(load("return { bucket = directory {} }", { SUBMITTER_BUCKET = "submissions" }))
      assert.are.equal("s3", settings.bucket.kind)
      assert.are.equal("directory", assert(load("return {}", { SUBMITTER_BUCKET = "" })).bucket.kind)
    end)

    it("are checked", function()
      refused("return { bucket = 'submissions' }", 'bucket: expected s3 { … } or directory {}, found "submissions"')
      refused("return { bucket = s3 {} }", "bucket%.name: is missing; expected the name of a bucket")
      refused("return { bucket = s3 { name = 'a/b' } }", "bucket%.name: expected the name of a bucket")
      refused("return { bucket = s3 { nam = 'abc' } }", 'bucket%.nam: unknown field; did you mean "name"')
      refused("return { bucket = s3 'abc' }", "submitter%.lua:1: expected s3 { … }, found \"abc\"")
      refused("return { bucket = sqs { url = 'https://a/b' } }", "bucket: expected s3 { … } or directory {}")
      refused("return { queue = sqs { url = 'queue' } }", "queue%.url: expected the URL of a queue")
      refused("return { queue = sqs { url = 'https://a/b', endpoint = 'a' } }", "queue%.endpoint: expected a URL")
      refused("return { bucket = s3 { name = 'abc', region = 'a b' } }", "bucket%.region: expected a region")
      refused("return { aws = { region = 'a/b' } }", "aws%.region: expected a region")
    end)
  end)
end)
