local options = require "submitter.cli.options"
local support = require "spec.cli.support"

describe("submitter.cli.options", function()
  it("reads times with their unit", function()
    assert.equal(60000, options.time "60s")
    assert.equal(250, options.time "250ms")
    local value, message = options.time "soon"
    assert.is_nil(value)
    assert.truthy(message:find("soon", 1, true))
  end)

  it("knows a token", function()
    local token = ("0123456789abcdef"):rep(2)
    assert.equal(token, options.token(token))
    for _, wrong in ipairs { "", "abc", token .. "0", ("g"):rep(32) } do
      local value, message = options.token(wrong)
      assert.is_nil(value)
      assert.truthy(message:find("32 hexadecimal digits", 1, true))
    end
  end)

  describe("read_file", function()
    local folder
    before_each(function() folder = support.folder() end)
    after_each(function() folder.remove_all() end)

    it("reads bytes as they are", function()
      assert.equal("a\r\n\0b", options.read_file(folder:write("x", "a\r\n\0b")))
      assert.equal("", options.read_file(folder:write("empty", "")))
    end)

    it("says what is missing", function()
      local data, message, code = options.read_file(folder.path .. "/none")
      assert.is_nil(data)
      assert.truthy(message:find(folder.path .. "/none", 1, true))
      assert.equal("usage", code)
    end)

    it("refuses an empty path", function()
      local data, message, code = options.read_file ""
      assert.is_nil(data)
      assert.equal("an empty path names no file", message)
      assert.equal("usage", code)
    end)

    it("refuses a folder", function()
      local data, message, code = options.read_file(folder.path)
      assert.is_nil(data)
      assert.truthy(message:find(folder.path, 1, true))
      assert.equal("usage", code)
    end)
  end)
end)
