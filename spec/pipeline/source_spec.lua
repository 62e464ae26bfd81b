local source = require "submitter.pipeline.source"

describe("a program", function()
  it("may be anything that Python can judge", function()
    assert.is_true(source.check("print(1)\n", "x.py"))
    assert.is_true(source.check("\n", "x.py"))
    assert.is_true(source.check("\xff\xfe not Python", "x.py"))
  end)

  it("is rejected where it is empty", function()
    local good, message, code = source.check("", "x.py")
    assert.is_nil(good)
    assert.are.equal("rejected", code)
    assert.matches("x.py is empty", message, 1, true)
  end)

  it("is rejected where it holds a NUL byte, which is named", function()
    local good, message, code = source.check("ab\0c\0", "x.py")
    assert.is_nil(good)
    assert.are.equal("rejected", code)
    assert.matches("NUL byte at offset 2", message, 1, true)
  end)
end)
