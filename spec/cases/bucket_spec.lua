local bucket = require "submitter.cases.bucket"
local key = require "submitter.key"

local store = require "spec.fake.store"

local subid = "fc55c0190dde2bc413d8d1e79fb8cca2"

local function read(objects, root, mode)
  local location = assert(key.location("a", "e", "s", subid, root or ""))
  return bucket.read(store.open(objects), key.names(location, mode or "test"))
end

describe("cases in the bucket", function()
  it("are two files of lines", function()
    local found = assert(read { ["a/e/s/grading/test.in"] = "1\n", ["a/e/s/grading/test.out"] = "2\n" })
    assert.are.same({ { number = 1, input = "1", expected = "2", form = "line" } }, found.cases)
    assert.are.equal("1\n", found.input_text)
    assert.are.equal("2\n", found.expected_text)
    assert.is_nil(found.notice)
  end)

  it("have the mode in their name", function()
    local objects = { ["a/e/s/grading/grade.in"] = "1\n", ["a/e/s/grading/grade.out"] = "2\n" }
    assert(read(objects, "", "grade"))
    assert.are.equal("not_found", select(3, read(objects, "", "test")))
  end)

  it("follow the slash of the submission", function()
    assert(read({ ["/a/e/s/grading/test.in"] = "1\n", ["/a/e/s/grading/test.out"] = "2\n" }, "/"))
    local found = assert(read({ ["/a/e/s/grading/test/1.in"] = "1\n", ["/a/e/s/grading/test/1.out"] = "2\n" }, "/"))
    assert.are.equal("1\n", found.cases[1].input)
  end)

  it("are pairs of files where there are no lines", function()
    local found = assert(read {
      ["a/e/s/grading/test/10.in"] = "c", ["a/e/s/grading/test/10.out"] = "C",
      ["a/e/s/grading/test/9.in"] = "b", ["a/e/s/grading/test/9.out"] = "B",
      ["a/e/s/grading/test/notes.txt"] = "", ["a/e/s/grading/test/old/1.in"] = "x",
      ["a/e/s/grading/tests/1.in"] = "x",
    })
    assert.are.equal(2, #found.cases)
    assert.are.equal("9", found.cases[1].name)
    assert.are.equal("C", found.cases[2].expected)
  end)

  it("are lines where both forms are there, and it is said", function()
    local found = assert(read {
      ["a/e/s/grading/test.in"] = "1\n", ["a/e/s/grading/test.out"] = "2\n",
      ["a/e/s/grading/test/1.in"] = "x", ["a/e/s/grading/test/1.out"] = "y",
    })
    assert.are.equal("line", found.cases[1].form)
    assert.matches("the lines count", found.notice, 1, true)
  end)

  it("may be missing, which may pass", function()
    local found, message, code = read {}
    assert.is_nil(found)
    assert.are.equal("not_found", code)
    assert.matches("a/e/s/grading/test.in", message, 1, true)
  end)

  it("may be missing by half, which may pass", function()
    local found, message, code = read { ["a/e/s/grading/test.in"] = "1\n" }
    assert.is_nil(found)
    assert.are.equal("not_found", code)
    assert.matches("a/e/s/grading/test.out is not there", message, 1, true)
    assert.matches("test.in is not there", select(2, read { ["a/e/s/grading/test.out"] = "1\n" }), 1, true)
  end)

  it("are the instructor's to mend where a pair is broken", function()
    local _, message, code = read { ["a/e/s/grading/test/one.in"] = "1\n" }
    assert.are.equal("instructor", code)
    assert.matches("a/e/s/grading/test/one.in has no one.out", message, 1, true)
  end)

  it("are the instructor's to mend where they are too large", function()
    local objects = { ["a/e/s/grading/test.in"] = ("x"):rep(64 * 1024 * 1024 + 1), ["a/e/s/grading/test.out"] = "1\n" }
    assert.are.equal("instructor", select(3, read(objects)))
  end)

  it("are the instructor's to mend where they are too large together", function()
    local objects, text = {}, ("x"):rep(43 << 20)
    for _, name in ipairs { "1.in", "1.out", "2.in" } do objects["a/e/s/grading/test/" .. name] = text end
    objects["a/e/s/grading/test/2.out"] = "1"
    local _, message, code = read(objects)
    assert.are.equal("instructor", code)
    assert.matches("a/e/s/grading/test have more than 134217728 bytes together", message, 1, true)
    objects["a/e/s/grading/test/2.in"] = "1"
    assert.are.equal(2, #assert(read(objects)).cases)
  end)

  it("pass on that the store is in trouble", function()
    local broken = store.open {}
    broken.fail = function() return "no route to the bucket", "unavailable" end
    local location = assert(key.location("a", "e", "s", subid, ""))
    local found, message, code = bucket.read(broken, key.names(location, "test"))
    assert.is_nil(found)
    assert.are.equal("no route to the bucket", message)
    assert.are.equal("unavailable", code)
  end)
end)

describe("the bucket as a source of cases", function()
  it("reads by the submission's keys, and says that it did", function()
    local source = bucket.source {
      store = store.open { ["a/e/s/grading/test.in"] = "1\n", ["a/e/s/grading/test.out"] = "2\n" },
    }
    local location = assert(key.location("a", "e", "s", subid))
    local function ask(mode)
      return source:read { location = location, mode = mode, names = key.names(location, mode) }
    end
    local found = assert(ask "test")
    assert.are.equal("bucket", found.source)
    assert.are.equal("1", found.cases[1].input)
    assert.are.equal("not_found", select(3, ask "grade"))
  end)

  it("wants a store and nothing unknown", function()
    assert.has_error(function() bucket.source {} end)
    assert.has_error(function() bucket.source { store = store.open(), name = "x" } end)
  end)
end)
