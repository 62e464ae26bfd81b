local bucket = require "submitter.cases.bucket"
local cases = require "submitter.cases"
local key = require "submitter.key"
local replace = require "submitter.cases.bucket_replace"

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

-- Another program, or person, works on the same objects between one request and the next.
describe("cases that are replaced while they are read", function()
  local location = assert(key.location("a", "e", "s", subid))
  local names = key.names(location, "test")
  local grading = "a/e/s/grading/"

  local function lines_of(input_text, expected_text)
    local found = assert(cases.lines(input_text, expected_text))
    found.input_text, found.expected_text = input_text, expected_text
    return found
  end

  local forms = {
    lines_of("1\n", "a\n"), lines_of("2\n", "b\n"),
    assert(cases.pairs { one = { ["in"] = "3", out = "c" }, two = { ["in"] = "4", out = "d" } }),
    assert(cases.pairs { one = { ["in"] = "5", out = "e" }, two = { ["in"] = "6", out = "f" } }),
    assert(cases.pairs { one = { ["in"] = "7", out = "g" } }),
  }

  -- Writes of a replacement, each to be made when it is its turn.
  local function writes_of(before, after)
    local copy = store.open {}
    assert(replace(copy, names, before))
    local states = {}
    local put, delete = copy.put, copy.delete
    copy.put = function(self, name, text) states[#states + 1] = { name, text } return put(self, name, text) end
    copy.delete = function(self, name) states[#states + 1] = { name } return delete(self, name) end
    assert(replace(copy, names, after))
    return states
  end

  -- Reads while a replacement makes `first` writes before the read's request `at`, and the rest before its request `later`.
  local function read_between(before, after, first, at, later)
    local held = store.open {}
    assert(replace(held, names, before))
    local writes, made, requests = writes_of(before, after), 0, 0
    local function advance(up_to)
      while made < math.min(up_to, #writes) do
        made = made + 1
        local name, text = writes[made][1], writes[made][2]
        held.objects[name], held.times[name] = text, 1800000000000 + made
      end
    end
    held.fail = function()
      requests = requests + 1
      if requests == at then advance(first) end
      if requests == later then advance(#writes) end
    end
    local found, _, code = bucket.read(held, names)
    return found, code, #writes
  end

  it("are those before or those after, or it is said that they are on their way", function()
    local seen_before, seen_after = 0, 0
    for _, before in ipairs(forms) do
      for _, after in ipairs(forms) do
        if before ~= after then
          local count = #writes_of(before, after)
          for first = 0, count do
            for at = 1, 9 do
              for later = at, 10 do
                local found, code = read_between(before, after, first, at, later)
                if found then
                  assert.is_true(found.sha256 == before.sha256 or found.sha256 == after.sha256)
                  seen_before = seen_before + (found.sha256 == before.sha256 and 1 or 0)
                  seen_after = seen_after + (found.sha256 == after.sha256 and 1 or 0)
                else
                  assert.are.equal("not_found", code)
                end
              end
            end
          end
        end
      end
    end
    assert.is_true(seen_before > 0 and seen_after > 0)
  end)

  it("are left for later when there is no end of it", function()
    local held = store.open { [grading .. "test.in"] = "1\n", [grading .. "test.out"] = "2\n" }
    local count = 0
    held.fail = function()
      count = count + 1
      held.times[grading .. "test.in"] = count
    end
    local found, message, code = bucket.read(held, names)
    assert.is_nil(found)
    assert.are.equal("not_found", code)
    assert.matches("are being replaced", message, 1, true)
  end)

  it("can't be told apart from others where the bucket doesn't answer: then nothing is read", function()
    for _, objects in ipairs {
      { [grading .. "test.in"] = "1\n", [grading .. "test.out"] = "2\n" },
      { [grading .. "test/1.in"] = "1\n", [grading .. "test/1.out"] = "2\n" },
    } do
      local held = store.open(objects)
      held.fail = function(call) if call:find "^head" then return "no route", "unavailable" end end
      assert.are.same({ nil, "no route", "unavailable" }, { bucket.read(held, names) })
    end
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
