local host = require "submitter.host"
local identity = require "submitter.cases.identity"

local function case(fields)
  local made = { number = 1, form = "line", input = "1 2", expected = "3" }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

describe("the identity of cases", function()
  it("is what it always was for those that have nothing but input and expectation", function()
    -- Results that stand name it: it must not change with a version of this program.
    local bytes = string.pack("<s8s8s8s8", "line", "", "1 2", "3")
      .. string.pack("<s8s8s8s8", "file", "x", "a\n", "b\n")
    assert.are.equal(host.digest.sha256(bytes), identity.sha256 {
      case(), case { number = 2, form = "file", name = "x", input = "a\n", expected = "b\n" },
    })
    assert.are.equal("f71b21c5d6281176f7622ff20647404bd655c47e33628aaec62b9d747e80f762", identity.sha256 { case() })
  end)

  it("counts all that makes a case another one, and not its number", function()
    local seen = {}
    for _, fields in ipairs {
      {}, { form = "file" }, { name = "x" }, { input = "1  2" }, { expected = "4" }, { points = 0 }, { points = 1 },
      { points = 0.1 }, { visibility = "hidden" }, { visibility = "visible" }, { points = 1, visibility = "hidden" },
      { input = "1 23", expected = "" },
    } do
      local sha256 = identity.sha256 { case(fields) }
      assert.is_nil(seen[sha256])
      seen[sha256] = true
    end
    assert.are.equal(identity.sha256 { case() }, identity.sha256 { case { number = 7 } })
    assert.are.equal(identity.sha256 { case { points = 2 } }, identity.sha256 { case { points = 2.0 } })
  end)

  it("can't be the same for cases that are divided otherwise", function()
    assert.are_not.equal(identity.sha256 { case(), case() }, identity.sha256 { case() })
    local forged = string.pack("<s8s8", "1", "hidden")
    assert.are_not.equal(identity.sha256 { case { points = 1, visibility = "hidden" } },
      identity.sha256 { case { expected = "3" .. forged } })
  end)
end)
