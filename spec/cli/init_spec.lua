local cli = require "submitter.cli"
local host = require "submitter.host"
local support = require "spec.cli.support"

local token = ("0123456789abcdef"):rep(2)

local function main(...)
  local output, errors, code = support.capture(cli.main, { ... })
  return code, output, errors
end

describe("submitter.cli", function()
  local folder
  before_each(function() folder = support.folder() end)
  after_each(function() folder.remove_all() end)

  it("says its version", function()
    local code, output = main "--version"
    assert.equal(0, code)
    assert.equal("submitter " .. host.system.version() .. "\n", output)
  end)

  it("helps, naming every command and the exit codes", function()
    local code, output = main "--help"
    assert.equal(0, code)
    for _, name in ipairs { "serve", "grade", "submit", "notify", "status", "deadletters", "doctor", "run" } do
      assert.truthy(output:find("\n   " .. name .. "%s"), name)
    end
    assert.truthy(output:find("Exit codes:", 1, true))
  end)

  for _, words in ipairs {
    { "serve" }, { "grade" }, { "submit" }, { "notify" }, { "status" }, { "doctor" }, { "deadletters" },
    { "deadletters", "list" }, { "deadletters", "show" }, { "deadletters", "retry" }, { "deadletters", "drop" },
    { "database", "migrate" },
  } do
    local name = table.concat(words, " ")
    it("helps with " .. name, function()
      local arguments = table.move(words, 1, #words, 1, {})
      arguments[#arguments + 1] = "--help"
      local code, output, errors = main(table.unpack(arguments))
      assert.equal(0, code)
      assert.equal("", errors)
      assert.truthy(output:find("Usage: submitter " .. name, 1, true))
      assert.truthy(output:find("Example: submitter " .. words[1], 1, true))
      if words[1] ~= "deadletters" or words[2] then assert.truthy(output:find("--config FILE", 1, true)) end
    end)
  end

  describe("refuses with exit code 2", function()
    local function refuses(expected, ...)
      local code, output, errors = main(...)
      assert.equal(2, code)
      assert.equal("", output)
      assert.truthy(errors:find(expected, 1, true), errors)
      assert.is_nil(errors:find("traceback", 1, true))
    end

    it("no command", function() refuses "submitter: a command is required" end)
    it("an unknown command", function() refuses("unknown command 'sevre'", "sevre") end)
    it("an unknown option", function() refuses("submitter grade: unknown option '--inn'", "grade", "--inn", "x") end)
    it("a missing argument", function() refuses("submitter grade: missing", "grade") end)
    it("a format that there isn't", function()
      refuses("submitter grade: argument for option '--format' must be one of", "grade", "a.py", "--in", "a",
        "--format", "xml")
    end)
    it("a token that is none", function()
      refuses("submitter submit: 'x' is no token", "submit", "a.py", "--admin", "a", "--event", "e",
        "--assignment", "s", "--token", "x")
    end)
    it("no token", function()
      refuses("submitter submit: --token is missing", "submit", "a.py", "--admin", "a", "--event", "e",
        "--assignment", "s")
    end)
    it("a name that isn't UTF-8", function()
      refuses("submitter submit: --event \"\\xff\" isn't UTF-8", "submit", "a.py", "--admin", "a", "--event", "\xff",
        "--assignment", "s", "--token", token)
    end)
    it("a time without its unit", function()
      refuses("submitter submit: --timeout: ", "submit", "a.py", "--admin", "a", "--event", "e", "--assignment", "s",
        "--token", token, "--timeout", "5")
    end)
    it("a file that isn't there", function()
      refuses("/none/there.py", "grade", "/none/there.py", "--in", "a", "--out", "b")
    end)
    it("--out left away", function()
      refuses("submitter grade: --out FILE is missing", "grade", support.fixtures .. "/sum/submissions/right.py",
        "--in", support.fixtures .. "/sum/test.in")
    end)
    it("control characters of the user's own, escaped", function()
      local _, _, errors = main "\27[31mx"
      assert.is_nil(errors:find("\27", 1, true))
    end)
  end)

  it("exits 3 where standard output can't be written", function()
    for _, words in ipairs { "--help", "--version", "doctor", "status" } do
      local ended = host.child.run {
        program = "/bin/sh", arguments = { "-c", '"$0" ' .. words .. " >/dev/full", host.system.executable() },
        environment = { SUBMITTER_VAR = folder.var, PATH = "/usr/bin:/bin" },
      }
      assert.equal(3, ended.exit_code, words)
      assert.truthy(ended.stderr:find("can't write to standard output", 1, true), ended.stderr)
    end
  end)

  it("exits 3 over a configuration that can't be read, and names it", function()
    local code, _, errors = main("status", "--config", "/none/submitter.lua")
    assert.equal(3, code)
    assert.truthy(errors:find("submitter status: ", 1, true))
    assert.truthy(errors:find("/none/submitter.lua", 1, true))
  end)

  it("exits 4 with a traceback over a fault of its own", function()
    local status = require "submitter.cli.status"
    local original = status.run
    status.run = function() error "a fault" end
    local code, _, errors = main "status"
    status.run = original
    assert.equal(4, code)
    assert.truthy(errors:find("submitter status: internal error", 1, true))
    assert.truthy(errors:find("traceback", 1, true))
  end)
end)
