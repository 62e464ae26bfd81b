local key = require "submitter.key"

local subid = "fc55c0190dde2bc413d8d1e79fb8cca2"
local document = "m.soltys/aws_labs/lab5_containers/" .. subid .. "/" .. subid .. ".json"

local function refuses(check, text, pattern)
  local value, message, code = check(text)
  assert.is_nil(value, tostring(text))
  assert.are.equal("invalid_key", code)
  assert.matches(pattern, message)
  assert.is_true(#message < 500)
  assert.is_nil(message:find("%c"))
end

describe("key.check", function()
  it("accepts what a bucket holds", function()
    for _, text in ipairs { "a", "/a", "a/b/c.json", "a b/ü/…", "a/\xff\xfe", "...", "a/..b/c.", ".submitter",
      ("a"):rep(255), "/" .. ("a/"):rep(511) .. "b" } do
      assert.is_true(key.check(text), text)
    end
  end)

  it("refuses the rest and says why", function()
    refuses(key.check, nil, "nothing")
    refuses(key.check, 5, "number")
    refuses(key.check, "", "the key is empty")
    refuses(key.check, "/", "the key is empty")
    refuses(key.check, "//a", "empty segment")
    refuses(key.check, "a//b", "empty segment")
    refuses(key.check, "a/", "empty segment")
    refuses(key.check, "a/../b", '"%.%."')
    refuses(key.check, "..", '"%.%."')
    refuses(key.check, "/..", '"%.%."')
    refuses(key.check, "a/./b", '"%."')
    refuses(key.check, "a\0b", "NUL")
    refuses(key.check, "\0", "NUL")
    refuses(key.check, "a/" .. ("x"):rep(256), "256 bytes; at most 255")
    refuses(key.check, ("a/"):rep(512) .. "b", "1025 bytes; at most 1024")
    refuses(key.check, ("a/"):rep(2500), "5000 bytes")
    refuses(key.check, "a/.submitter-1", "%.submitter%-")
    refuses(key.check, "a\n/..", "a\\x0a")
  end)
end)

describe("key.parse_document", function()
  it("takes a submission document's key apart", function()
    local location = assert(key.parse_document("/" .. document))
    assert.are.equal("/", location.root)
    assert.are.equal("m.soltys", location.admin)
    assert.are.equal("aws_labs", location.event)
    assert.are.equal("lab5_containers", location.assignment)
    assert.are.equal(subid, location.subid)
    assert.are.equal("/" .. document, location.key)
    assert.are.equal("m.soltys/aws_labs/lab5_containers", location.base)
    assert.are.equal("", assert(key.parse_document(document)).root)
  end)

  it("keeps any bytes that a key may hold", function()
    local odd = "a b/\xff%2F/…/" .. subid .. "/" .. subid .. ".json"
    assert.are.equal("\xff%2F", assert(key.parse_document(odd)).event)
  end)

  it("refuses every other key", function()
    local folder = "a/b/c/" .. subid .. "/"
    refuses(key.parse_document, folder .. subid .. ".py", "expected the name")
    refuses(key.parse_document, folder .. subid .. ".out", "expected the name")
    refuses(key.parse_document, folder .. subid .. ".result.json", "expected the name")
    refuses(key.parse_document, folder .. subid .. "Xjson", "expected the name")
    refuses(key.parse_document, folder .. ("0"):rep(32) .. ".json", "expected the name")
    refuses(key.parse_document, "a/b/c/grading/test.in", "no subid")
    refuses(key.parse_document, "a/b/c/" .. subid:upper() .. "/" .. subid:upper() .. ".json", "no subid")
    refuses(key.parse_document, "a/b/c/" .. subid .. "0/" .. subid .. "0.json", "no subid")
    refuses(key.parse_document, "a/b/" .. subid .. "/" .. subid .. ".json", "expected <admin>")
    refuses(key.parse_document, "a/b/c/d/" .. subid .. "/" .. subid .. ".json", "expected <admin>")
    refuses(key.parse_document, "//" .. document, "empty segment")
    refuses(key.parse_document, "a/../c/" .. subid .. "/" .. subid .. ".json", '"%.%."')
    refuses(key.parse_document, "", "empty")
    refuses(key.parse_document, ("a/"):rep(2500), "5000 bytes")
  end)

  it("shows a refused key whole, because its end says which object it is", function()
    local long = ("a"):rep(200) .. "/b/c/" .. subid .. "/" .. subid .. ".py"
    local _, message = key.parse_document(long)
    assert.matches('"' .. long .. '"', message, 1, true)
    _, message = key.check(long .. "/..")
    assert.matches(long .. '/.."', message, 1, true)
  end)

  it("leaves room for every name that belongs to the longest document key", function()
    local three = ("a"):rep(255) .. "/" .. ("b"):rep(255) .. "/" .. ("c"):rep(255)
    local location = assert(key.parse_document("/" .. three .. "/" .. subid .. "/" .. subid .. ".json"))
    for _, mode in ipairs { "test", "grade" } do
      for _, name in pairs(key.names(location, mode)) do
        assert.is_true(key.check((name:gsub("/$", ""))))
      end
    end
  end)
end)

describe("key.location", function()
  it("builds what parse_document reads", function()
    local location = assert(key.location("m.soltys", "aws_labs", "lab5_containers", subid, "/"))
    assert.are.same(assert(key.parse_document("/" .. document)), location)
    assert.are.equal(document, assert(key.location("m.soltys", "aws_labs", "lab5_containers", subid)).key)
  end)

  it("refuses parts that would make another key", function()
    local function refused(pattern, ...)
      local value, message, code = key.location(...)
      assert.is_nil(value)
      assert.are.equal("invalid_key", code)
      assert.matches(pattern, message)
    end
    refused("admin.*holds a \"/\"", "a/b", "c", "d", subid)
    refused("admin.*holds a \"/\"", "/", "c", "d", subid)
    refused("event must be a text", "a", "", "d", subid)
    refused("assignment must be a text", "a", "b", nil, subid)
    refused('"%.%."', "..", "b", "c", subid)
    refused("NUL", "a\0", "b", "c", subid)
    refused("32 lower%-case", "a", "b", "c", subid:upper())
    refused("32 lower%-case", "a", "b", "c", nil)
    refused("256 bytes", ("a"):rep(256), "b", "c", subid)
    assert.has_error(function() key.location("a", "b", "c", subid, "//") end)
  end)

  it("flips the slash", function()
    local location = assert(key.location("a", "b", "c", subid))
    assert.are.equal("/" .. location.key, location:with_root().key)
    assert.are.equal(location.key, location:with_root():with_root().key)
    assert.are.equal("/" .. location.key, location:with_root("/").key)
    assert.are.equal(location.key, location:with_root("").key)
    assert.has_error(function() location:with_root("x") end)
  end)
end)

describe("key.names", function()
  local location = key.location("a", "b", "c", subid, "/")
  local beside = "/a/b/c/" .. subid .. "/" .. subid

  it("lists what belongs to a submission in mode test", function()
    assert.are.same({
      document = beside .. ".json",
      source = beside .. ".py",
      result = beside .. ".result.json",
      out = beside .. ".out",
      error = beside .. ".error.json",
      truth = "/a/b/c/grading/results/" .. subid .. ".json",
      cases_in = "/a/b/c/grading/test.in",
      cases_out = "/a/b/c/grading/test.out",
      cases_folder = "/a/b/c/grading/test/",
      policy = "/a/b/c/grading/policy.lua",
      grading = "/a/b/c/grading/",
    }, key.names(location, "test"))
  end)

  it("and in mode grade", function()
    local names = key.names(location:with_root(""), "grade")
    beside = beside:sub(2)
    assert.are.equal(beside .. ".json", names.document)
    assert.are.equal(beside .. ".py", names.source)
    assert.are.equal(beside .. ".grade.result.json", names.result)
    assert.are.equal(beside .. ".grade.out", names.out)
    assert.are.equal(beside .. ".grade.error.json", names.error)
    assert.are.equal("a/b/c/grading/results/" .. subid .. ".grade.json", names.truth)
    assert.are.equal("a/b/c/grading/grade.in", names.cases_in)
    assert.are.equal("a/b/c/grading/grade.out", names.cases_out)
    assert.are.equal("a/b/c/grading/grade/", names.cases_folder)
  end)

  it("knows no other mode", function()
    assert.has_error(function() key.names(location, "exam") end)
  end)
end)
