local conditions = require "submitter.store.conditions"

describe("the condition of a put", function()
  it("is an ETag, or that nothing stands, or none", function()
    assert.are.same({ "abc" }, { conditions.check { if_match = "abc" } })
    assert.are.same({ nil, true }, { conditions.check { if_none_match = true } })
    assert.are.same({}, { conditions.check {} })
    assert.are.same({}, { conditions.check() })
  end)

  it("is nothing else", function()
    for _, wrong in ipairs { { if_match = 5 }, { if_match = "a", if_none_match = true }, { if_none_match = false },
      { if_none_match = "*" } } do
      assert.has_error(function() conditions.check(wrong) end,
        'expected store:put(key, data, { if_match = "etag" } or { if_none_match = true })')
    end
    local _, message = pcall(conditions.check, { if_matches = "a" })
    assert.matches('unknown option "if_matches"; expected store:put', message, 1, true)
  end)
end)
