local host = require "submitter.host"

describe("host", function()
  it("is the door to the C modules", function()
    for _, name in ipairs {
      "child", "clock", "digest", "file", "http", "json", "log", "postgres", "sigv4", "smtp", "system",
      "task", "text",
    } do
      assert.are.equal(require("submitter.core." .. name), host[name])
    end
  end)

  it("knows no other name, and can't be changed", function()
    assert.has_error(function() return host.clocks end)
    assert.has_error(function() host.anything = {} end)
  end)
end)
