local csv = require "submitter.report.csv"
local host = require "submitter.host"

local header = "input,expected output,actual output,pass/fail\r\n"

local function rows(cases, verdict, reason)
  local text = csv.render { cases = cases, verdict = verdict or "AC", reason = reason or host.json.null }
  assert.are.equal(header, text:sub(1, #header))
  return text:sub(#header + 1)
end

describe("the table", function()
  it("has a row a case", function()
    assert.are.equal("1 2,3,3,Pass\r\n3 4,7,8,Fail\r\n", rows {
      { input = "1 2", expected = "3", actual = "3\n", pass = true },
      { input = "3 4", expected = "7", actual = "8", pass = false },
    })
  end)

  it("holds what was compared", function()
    assert.are.equal(' 1 ,3 4,"  3\n4",Pass\r\n', rows {
      { input = " 1 ", expected = " \t3 4\r\n", actual = "  3\n4 \n\n", pass = true },
    })
  end)

  it("quotes as RFC 4180 says", function()
    assert.are.equal('"""a"" b","1,2","x\ny",Fail\r\n', rows {
      { input = '"a" b', expected = "1,2", actual = "x\ny", pass = false },
    })
  end)

  it("writes NUL as two characters and alters nothing else", function()
    assert.are.equal("=1+1,\\0a\\0,\27[2Jé\u{FFFD},Fail\r\n", rows {
      { input = "=1+1", expected = "\0a\0", actual = "\27[2Jé\u{FFFD}", pass = false },
    })
  end)

  it("says what is hidden", function()
    local null = host.json.null
    assert.are.equal("hidden,hidden,hidden,Fail\r\n1,hidden,2,Pass\r\n", rows {
      { input = null, expected = null, actual = null, pass = false },
      { input = "1", expected = null, actual = "2", pass = true },
    })
  end)

  it("says why a submission was rejected", function()
    assert.are.equal(',,"rejected: it, is empty",Fail\r\n', rows({}, "REJ", "it, is empty"))
  end)
end)
