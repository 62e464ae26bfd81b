local faults = require "submitter.engine.faults"

local WHAT = "POST /containers/create"

describe("an engine's faults", function()
  -- Each with what a real engine said (Docker 20.10.24, Podman 4.3.1).
  local answers = {
    { 404, "No such image: nosuch:1", "no such image", "environment" },
    { 404, "no such image: docker.io/library/nosuch:1: image not known", "no such image", "environment" },
    { 404, "No such container: x", "no such container", "sandbox" },
    { 404, "no container with name or ID \"x\" found: no such container", "no such container", "sandbox" },
    { 409, "Conflict. The container name \"/x\" is already in use by container \"1\".", "name taken", "sandbox" },
    { 500, "container create: creating container storage: the container name \"x\" is already in use by 1. You have to "
      .. "remove that container to be able to reuse that name: that name is already in use", "name taken", "sandbox" },
    { 400, "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container "
      .. "process: exec: \"/x\": stat /x: no such file or directory", "image doesn't fit", "environment" },
    { 500, "runc: runc create failed: unable to start container process: exec: \"/x\": stat /x: no such file "
      .. "or directory: OCI runtime attempted to invoke a command that was not found", "image doesn't fit",
      "environment" },
    { 400, "Unknown runtime specified foo", "engine refused", "environment" },
    { 400, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", "engine refused", "environment" },
    { 500, "mkdir /var/lib/docker/overlay2/1: no space left on device", "out of disk", "unavailable" },
    { 500, "write /x: disk quota exceeded", "out of disk", "unavailable" },
    { 500, "runc create failed: unable to start container process: can't get final child's PID from pipe: EOF",
      "engine failed", "unavailable" },
    { 409, "Container 1 is not running", "engine failed", "unavailable" },
  }

  for _, case in ipairs(answers) do
    it(("have names: %s for %d %s…"):format(case[3], case[1], case[2]:sub(1, 30)), function()
      local nothing, message, code, name = faults.of_answer(case[1], case[2], WHAT)
      assert.is_nil(nothing)
      assert.are.equal(case[3], name)
      assert.are.equal(case[4], code)
      local advice = name == "image doesn't fit" and "; docker/README.md says how one is made that does" or ""
      assert.are.equal(("%s: %s (HTTP %d to %s)%s"):format(name, case[2], case[1], WHAT, advice), message)
    end)
  end

  it("tell silence apart", function()
    local function of(...) return select(4, faults.of_silence(...)) end
    assert.are.equal("engine away", of("connect", "refused", "/s"))
    assert.are.equal("engine away", of("cut", "ended", "/s"))
    assert.are.equal("engine slow", of("timeout", "late", "/s"))
    local _, message, code, name = faults.of_silence("connect", "refused", "/s", true)
    assert.are.same({ "engine closed to this user", "environment" }, { name, code })
    assert.matches("group", message, 1, true)
  end)

  it("repair and shorten what an engine says", function()
    local _, message = faults.of_answer(500, "a\n\tb\xff" .. ("x"):rep(5000), WHAT)
    assert.are.equal("engine failed: a b\u{FFFD}xxx", message:sub(1, #"engine failed: a b\u{FFFD}xxx"))
    assert.is_true(#message < 700)
  end)

  it("are only those that have a meaning", function()
    assert.has_error(function() faults.failure("bad luck", "x") end, 'faults.failure: no fault is called "bad luck"')
  end)
end)
