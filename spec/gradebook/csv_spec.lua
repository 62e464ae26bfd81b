local csv = require "submitter.gradebook.csv"

-- Records of RFC 4180, as a reader of CSV takes them apart.
local function read(text)
  local records, record, position = {}, {}, 1
  while position <= #text do
    local cell, after
    if text:sub(position, position) == '"' then
      local from = position + 1
      local stop = from
      while true do
        stop = assert(text:find('"', stop, true), "a quote isn't closed")
        if text:sub(stop + 1, stop + 1) ~= '"' then break end
        stop = stop + 2
      end
      cell, after = text:sub(from, stop - 1):gsub('""', '"'), stop + 1
    else
      cell, after = text:match("^([^,\r\n\"]*)()", position)
    end
    record[#record + 1] = cell
    if text:sub(after, after + 1) == "\r\n" then
      records[#records + 1], record, position = record, {}, after + 2
    else
      assert(text:sub(after, after) == ",", "expected a comma")
      position = after + 1
    end
  end
  return records
end

describe("the grade book as CSV", function()
  local row = {
    email = "ann@example.org", name = "Ann", event = "labs", assignment = "sum", mode = "grade", verdict = "WA",
    points = 2.0, max_points = 3.5, attempt = 2, attempts = 4, submitted_ms = 1767225600000, late = true,
    subid = ("a"):rep(32), tokens = 2, note = "1 token unknown",
  }

  it("has a header and a record for each row, with CRLF", function()
    assert.are.equal("email,name,event,assignment,mode,verdict,points,max_points,attempt,attempts,submitted_at,late,"
      .. "subid,tokens,note\r\nann@example.org,Ann,labs,sum,grade,WA,2,3.5,2,4,2026-01-01T00:00:00.000Z,yes,"
      .. ("a"):rep(32) .. ",2,1 token unknown\r\n", csv.render { row })
  end)

  it("leaves empty what isn't known", function()
    local records = read(csv.render { { event = "labs", assignment = "sum", mode = "test", attempts = 0 },
      { event = "labs", assignment = "sum", mode = "test", attempts = 1, late = false } })
    assert.are.same({ "", "", "labs", "sum", "test", "", "", "", "", "0", "", "", "", "", "" }, records[2])
    assert.are.equal("no", records[3][12])
  end)

  it("is only a header without rows", function()
    assert.are.equal(1, #read(csv.render {}))
  end)

  it("quotes what has commas, quotes and line ends, so that it comes back", function()
    for _, name in ipairs { 'Ann "the" Great', "Smith, Ann", "two\r\nlines", '"', ",", "O'Neill; x" } do
      local records = read(csv.render { { name = name, event = "e", assignment = "s", mode = "test", attempts = 0 } })
      assert.are.equal(name, records[2][2])
      assert.are.equal(2, #records)
    end
  end)

  it("guards every text against being a formula", function()
    for text, guarded in pairs {
      ["=1+1"] = "'=1+1", ["+1"] = "'+1", ["-1"] = "'-1", ["@SUM(A1)"] = "'@SUM(A1)",
      ["=cmd|' /C calc'!A0"] = "'=cmd|' /C calc'!A0",
      [" =1"] = " '=1", ["\u{A0}\u{3000}=1"] = "\u{A0}\u{3000}'=1", ["\u{FEFF}=1"] = "\u{FEFF}'=1",
      ["\u{200B}+1"] = "\u{200B}'+1", ["\x01=1"] = "\x01'=1", ["\u{85}=1"] = "\u{85}'=1",
      ["\u{FF1D}1"] = "'\u{FF1D}1", ["\u{FF0B}1"] = "'\u{FF0B}1", ["\u{FF0D}1"] = "'\u{FF0D}1",
      ["\u{FF20}A"] = "'\u{FF20}A", ["\u{3000}\u{FF1D}1"] = "\u{3000}'\u{FF1D}1",
      ["\tx"] = "'\tx", ["\rx"] = "'\rx", ["\nx"] = "'\nx", ["\t=1"] = "'\t'=1",
      ["a;=1"] = "a;'=1", ["a; \u{FF1D}1"] = "a; '\u{FF1D}1", ["a\t=1"] = "a\t'=1", ["a\n-1"] = "a\n'-1",
      ["a\r\n=1"] = "a\r\n'=1", [";=1"] = ";'=1", [';"=1"'] = ';"\'=1"', ['"=1'] = '"\'=1', ['a"=1'] = 'a"=1',
      [""] = "", ["Ann"] = "Ann", ["a=1"] = "a=1", ["ann+labs@example.org"] = "ann+labs@example.org", ["1-2"] = "1-2",
      ["'=1"] = "'=1", ["Anne-Marie; x"] = "Anne-Marie; x",
    } do
      assert.are.equal(guarded, csv.guard(text))
    end
    local hostile = { attempts = 0 }
    for _, field in ipairs { "email", "name", "event", "assignment", "mode", "verdict", "subid", "note" } do
      hostile[field] = "=" .. field
    end
    local record = read(csv.render { hostile })[2]
    for position, cell in ipairs(record) do
      if cell ~= "" and position ~= 10 then assert.are.equal("'=", cell:sub(1, 2)) end
    end
  end)

  it("leaves figures of ours as they are", function()
    local record = read(csv.render { { event = "e", assignment = "s", mode = "test", points = -1.25, max_points = 1e15,
      attempts = 3 } })[2]
    assert.are.same({ "-1.25", "1000000000000000", "", "3" }, { record[7], record[8], record[9], record[10] })
  end)

  it("is UTF-8 without NUL characters, whatever came", function()
    assert.are.equal("a\\0b\u{FFFD}", csv.guard("a\0b\xff"))
    assert.are.equal("\\0=1", csv.guard("\0=1"))
  end)
end)
