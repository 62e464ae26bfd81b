local host = require "submitter.host"
local python = require "submitter.python"
local support = require "spec.support"

describe("python.find", function()
  local root

  before_each(function()
    root = support.directory()
  end)

  after_each(support.clean)

  -- A program that says what a Python would.
  local function install(name, version, status)
    local script = ("#!/bin/sh\n[ \"$1\" = --version ] || exit 9\necho '%s'\nexit %d\n"):format(version, status or 0)
    assert(root:write(name, script, { mode = tonumber("755", 8) }))
  end

  local function found(configured)
    local path, version = python.find(configured, root:path())
    return path and path:match("[^/]+$"), version
  end

  it("finds the machine's own", function()
    local path, version = python.find()
    assert.matches("^/usr/bin/python3", path)
    assert.matches("^3%.%d+%.%d+", version)
    local result = assert(host.child.run { program = path, arguments = { "-c",
      "import sys; print('.'.join(map(str, sys.version_info[:3])))" } })
    assert.are.equal(version, (result.stdout:gsub("%s", "")))
  end)

  it("takes the newest by number, not by text", function()
    install("python3.9", "Python 3.9.18")
    install("python3.12", "Python 3.12.1")
    install("python3.11", "Python 3.11.2")
    assert.are.same({ "python3.12", "3.12.1" }, { found() })
    install("python3", "Python 3.13.0rc1")
    assert.are.same({ "python3", "3.13.0rc1" }, { found() })
  end)

  it("keeps the name with a version where two are equally new", function()
    install("python3", "Python 3.12.1")
    install("python3.12", "Python 3.12.1")
    assert.are.same({ "python3.12", "3.12.1" }, { found() })
    install("python3", "Python 3.12")
    assert.are.same({ "python3.12", "3.12.1" }, { found() })
    install("python3", "Python 3.12.10")
    assert.are.same({ "python3", "3.12.10" }, { found() })
    install("python3.12", "Python 3.12.0")
    install("python3", "Python 3.12")
    assert.are.same({ "python3.12", "3.12.0" }, { found() })
  end)

  it("looks at interpreters only", function()
    install("python3.11-config", "Python 3.99.0")
    install("python3-config", "Python 3.99.0")
    install("python3.", "Python 3.99.0")
    install("python3.11m", "Python 3.99.0")
    install("python2", "Python 3.99.0")
    install("python", "Python 3.99.0")
    install("xpython3", "Python 3.99.0")
    install("python3.7", "Python 3.7.3")
    assert.are.same({ "python3.7", "3.7.3" }, { found() })
  end)

  it("names the real one where python3 is a link to it, and asks it once", function()
    install("python3.11", "Python 3.11.2")
    support.make_special("/bin/ln", { "-s", "python3.11", root:path() .. "/python3" })
    local asked, run = 0, host.child.run
    finally(support.replace(host.child, { run = function(...)
      asked = asked + 1
      return run(...)
    end }))
    assert.are.same({ "python3.11", "3.11.2" }, { found() })
    assert.are.equal(1, asked)
  end)

  it("follows a link that leads elsewhere", function()
    assert(root:make("bin"))
    install("real", "Python 3.11.2")
    support.make_special("/bin/ln", { "-s", root:path() .. "/real", root:path() .. "/bin/python3" })
    local path, version = python.find(nil, root:path() .. "/bin")
    assert.are.same({ root:path() .. "/bin/python3", "3.11.2" }, { path, version })
  end)

  it("passes over what doesn't run or isn't one", function()
    install("python3.12", "Ruby 3.12.1")
    install("python3.13", "Python 3.13.1", 1)
    assert(root:write("python3.14", "not executable"))
    install("python3.8", "Python 3.8.1")
    assert.are.same({ "python3.8", "3.8.1" }, { found() })
  end)

  it("says what was tried when there is none", function()
    local path, message, code = python.find(nil, root:path())
    assert.is_nil(path)
    assert.are.equal("environment", code)
    assert.matches("there is no python3", message)
    assert.matches("install python3", message)
    install("python3", "Python 2.7.18")
    path, message = python.find(nil, root:path())
    assert.is_nil(path)
    assert.matches("python3 doesn't say with %-%-version", message)
    path, message, code = python.find(nil, "/nowhere/at/all")
    assert.is_nil(path)
    assert.are.equal("environment", code)
    assert.matches("/nowhere/at/all can't be searched", message)
  end)

  it("takes the configured one, or refuses it", function()
    install("python3.99", "Python 3.99.0")
    install("my-python", "Python 3.10.4")
    local path, version = python.find(root:path() .. "/my-python", root:path())
    assert.are.same({ root:path() .. "/my-python", "3.10.4" }, { path, version })
    for _, wrong in ipairs { "python3", root:path() .. "/none", root:path(), "/bin/true" } do
      local none, message, code = python.find(wrong, root:path())
      assert.is_nil(none)
      assert.are.equal("environment", code)
      assert.matches("the configured python", message)
    end
  end)
end)
