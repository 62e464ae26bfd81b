local core = require "core.support"
local host = require "submitter.host"
local support = require "support"

local system = host.system

local function output(program, arguments)
  return (assert(host.child.run { program = program, arguments = arguments }).stdout:gsub("\n$", ""))
end

describe("core.system", function()
  after_each(support.clean)

  it("knows its process", function()
    local self <close> = assert(host.file.directory("/proc/self"))
    assert.are.equal(self:read("stat"):match("^%d+"), tostring(system.pid()))
    assert.are.equal(output("/usr/bin/id", { "-u" }), tostring(system.user_id()))
  end)

  it("knows its machine", function()
    assert.are.equal(output("/bin/uname", { "-n" }), system.hostname())
    assert.are.equal(output("/usr/bin/nproc", {}), tostring(system.processors()))
  end)

  it("knows its terminal, or that there is none", function()
    for descriptor = 0, 2 do assert.is_boolean(system.is_terminal(descriptor)) end
    assert.error_matches(function() system.is_terminal(3) end, "0, 1 or 2")
    assert.is_true(system.columns() > 0)
    local result = core.script [[
      local system = require "submitter.core.system"
      print(system.is_terminal(0), system.is_terminal(1), system.is_terminal(2), system.columns())
    ]]
    assert.are.equal("false\tfalse\tfalse\t80\n", result.stdout)
  end)

  it("knows where it is", function()
    assert.matches("^/.*/submitter$", system.executable())
    local lua <close> = assert(host.file.directory(system.lua_directory()))
    assert.are.equal("file", assert(lua:stat("submitter/host.lua")).type)
    assert.matches("^%d+%.%d+%.%d+$", system.version())
  end)
end)
