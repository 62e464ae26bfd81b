local unstorable = require "submitter.cases.unstorable"

local function of(fields)
  local case = { number = 1, input = "1", expected = "2" }
  for name, value in pairs(fields) do case[name] = value end
  return unstorable { { number = 1, input = "é\r\n\t\u{10FFFF}\1", expected = "" }, case }
end

describe("what the database can't hold", function()
  it("is nothing of a text in UTF-8", function()
    assert.is_nil(of {})
    assert.is_nil(of { name = "größe" })
  end)

  it("is a NUL byte, and its place is named", function()
    assert.matches("^case 7: the input has a NUL byte at byte offset 2,", of { number = 7, input = "ab\0c" })
    assert.matches("^case 7: what is expected has a NUL byte at byte offset 0,", of { number = 7, expected = "\0\xff" })
    assert.matches("bucket", of { input = "\0" }, 1, true)
  end)

  it("is a byte that is no UTF-8", function()
    assert.matches('^case 2 %("x"%): the input has the byte 0xFF, which is no UTF%-8 at byte offset 3,',
      of { number = 2, name = "x", input = "abc\xff\0" })
    -- Surrogates, overlong forms, what is cut off, beyond Unicode.
    for _, bytes in ipairs { "\xed\xa0\x80", "\xc0\x80", "\xe2\x82", "\xf4\x90\x80\x80" } do
      assert.matches("no UTF-8 at byte offset 1,", of { input = "a" .. bytes }, 1, true)
    end
    assert.matches("the name has the byte 0xFF", of { name = "\xff" }, 1, true)
  end)
end)
