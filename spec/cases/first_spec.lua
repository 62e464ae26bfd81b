local first = require "submitter.cases.first"

local asked_for = { location = {}, mode = "test", names = {} }

local function source(...)
  local answer = table.pack(...)
  local made = { asked = 0 }
  function made:read(asked)
    assert(asked == asked_for)
    self.asked = self.asked + 1
    return table.unpack(answer, 1, answer.n)
  end
  return made
end

describe("the first source that has the cases", function()
  it("is the first of all", function()
    local found = { cases = {}, notice = "both", source = "postgres" }
    local one, other = source(found), source(nil, "no", "not_found")
    assert.are.equal(found, (first.source { one, other }:read(asked_for)))
    assert.are.equal(0, other.asked)
  end)

  it("is the next where there are none", function()
    local found = { cases = {}, notice = "both", source = "bucket" }
    assert.are.equal(found, (first.source { source(nil, "no", "not_found"), source(found) }:read(asked_for)))
    assert.are.equal("both", found.notice)
  end)

  it("is never chosen because another can't be asked, or has bad ones", function()
    for _, code in ipairs { "unavailable", "environment", "instructor" } do
      local other = source { cases = {} }
      local found, message, why = first.source { source(nil, "trouble", code), other }:read(asked_for)
      assert.is_nil(found)
      assert.are.equal("trouble", message)
      assert.are.equal(code, why)
      assert.are.equal(0, other.asked)
    end
  end)

  it("is none where nobody has them: what each lacks is said", function()
    local found, message, code = first.source {
      source(nil, "no row", "not_found"), source(nil, "no file", "not_found"),
    }:read(asked_for)
    assert.is_nil(found)
    assert.are.equal("no row; and no file", message)
    assert.are.equal("not_found", code)
  end)

  it("takes at least one", function()
    assert.has_error(function() first.source {} end, "expected cases.first { source, … }, at least one source")
  end)
end)
