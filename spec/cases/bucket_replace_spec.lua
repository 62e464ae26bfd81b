local bucket = require "submitter.cases.bucket"
local cases = require "submitter.cases"
local key = require "submitter.key"
local replace = require "submitter.cases.bucket_replace"

local store = require "spec.fake.store"

local names = key.names(assert(key.location("a", "e", "s", ("a"):rep(32))), "test")
local grading = "a/e/s/grading/"

local function lines_of(input_text, expected_text)
  local found = assert(cases.lines(input_text, expected_text))
  found.input_text, found.expected_text = input_text, expected_text
  return found
end

describe("replacing cases in the bucket", function()
  local held
  before_each(function()
    held = store.open { [grading .. "grade.in"] = "9\n", [grading .. "policy.lua"] = "return {}" }
  end)

  local function put(new)
    local done = assert(replace(held, names, new))
    assert.are.equal("9\n", held.objects[grading .. "grade.in"])
    assert.are.equal("return {}", held.objects[grading .. "policy.lua"])
    return done
  end

  -- The objects of the mode.
  local function stand()
    local found = {}
    for name, text in pairs(held.objects) do
      local rest = name:sub(#grading + 1)
      if rest:find "^test" then found[rest] = text end
    end
    return found
  end

  local two_lines = lines_of("1\r\n2", "a\nb\n")
  local pair = assert(cases.pairs { ["one"] = { ["in"] = "1\n", out = "a" }, ["two"] = { ["in"] = "2", out = "" } })
  local files_of_pair = {
    ["test/one.in"] = "1\n", ["test/one.out"] = "a", ["test/two.in"] = "2", ["test/two.out"] = "",
  }

  it("writes lines as they came", function()
    assert.are.same({ replaced = 0, unchanged = false }, put(two_lines))
    assert.are.same({ ["test.in"] = "1\r\n2", ["test.out"] = "a\nb\n" }, stand())
  end)

  it("writes nothing when the same stand already", function()
    for _, new in ipairs { two_lines, pair } do
      put(new)
      held:forget()
      assert.are.same({ replaced = 2, unchanged = true }, put(new))
      assert.are.same({}, held:asked "put")
      assert.are.same({}, held:asked "delete")
    end
    put(two_lines)
    assert.are.same({ replaced = 2, unchanged = false }, put(lines_of("1\n2\n", "a\nb\n")))
    assert.are.same({ ["test.in"] = "1\n2\n", ["test.out"] = "a\nb\n" }, stand())
  end)

  it("removes what had another form", function()
    put(two_lines)
    assert.are.same({ replaced = 2, unchanged = false }, put(pair))
    assert.are.same(files_of_pair, stand())
    put(two_lines)
    assert.are.same({ ["test.in"] = "1\r\n2", ["test.out"] = "a\nb\n" }, stand())
  end)

  it("removes pairs and halves that are to be no more, and nothing else", function()
    put(pair)
    held.objects[grading .. "test/lonely.in"] = "x"
    held.objects[grading .. "test/notes.txt"] = "mine"
    held.objects[grading .. "test/old/one.in"] = "mine"
    assert.are.same({ unchanged = false }, put(assert(cases.pairs { one = { ["in"] = "1\n", out = "b" } })))
    assert.are.same({ ["test/one.in"] = "1\n", ["test/one.out"] = "b", ["test/notes.txt"] = "mine",
      ["test/old/one.in"] = "mine" }, stand())
  end)

  it("says when what stood was no use", function()
    held.objects[grading .. "test.in"], held.objects[grading .. "test.out"] = "1\n2\n", "1\n"
    assert.are.same({ unchanged = false }, put(two_lines))
  end)

  it("clears away an ambiguity, although the same lines count already", function()
    put(two_lines)
    held.objects[grading .. "test/one.in"], held.objects[grading .. "test/one.out"] = "1", "2"
    assert.is_false(put(two_lines).unchanged)
    assert.are.same({ ["test.in"] = "1\r\n2", ["test.out"] = "a\nb\n" }, stand())
  end)

  -- Whoever grades at any moment, and wherever this ends: the old cases, the new ones, or "come back later".
  it("is never seen half done, and heals when it ended in the middle", function()
    for _, change in ipairs { { two_lines, pair }, { pair, two_lines }, { two_lines, lines_of("3\n", "c\n") },
      { pair, assert(cases.pairs { one = { ["in"] = "7", out = "7" }, three = { ["in"] = "3", out = "3" } }) } } do
      local before, after = change[1], change[2]
      local steps = 0
      repeat
        held = store.open {}
        assert(replace(held, names, before))
        local left, ended = steps, false
        held.fail = function(call)
          if not call:find "^put " and not call:find "^delete " then return end
          if left == 0 then
            ended = true
            return "the power is gone", "unavailable"
          end
          left = left - 1
        end
        local done, message, code = replace(held, names, after)
        held.fail = function() end
        local seen, _, why = bucket.read(held, names)
        if seen then
          assert.is_true(seen.sha256 == before.sha256 or seen.sha256 == after.sha256)
        else
          assert.are.equal("not_found", why)
        end
        if ended then
          assert.is_nil(done)
          assert.are.same({ "the power is gone", "unavailable" }, { message, code })
          assert(replace(held, names, after))
        end
        assert.are.equal(after.sha256, assert(bucket.read(held, names)).sha256)
        assert.is_nil(assert(bucket.read(held, names)).notice)
        steps = steps + 1
      until not ended
      assert.is_true(steps > 3)
    end
  end)

  it("refuses what nobody could read again", function()
    local function refused(new)
      local done, message, code = replace(held, names, new)
      assert.is_nil(done)
      assert.are.equal("instructor", code)
      assert.are.same({}, stand())
      return message
    end
    local large = ("x"):rep((64 << 20) + 1)
    assert.matches('"a/e/s/grading/test.in" has 67108865 bytes, more than 67108864', refused(lines_of(large, "1")), 1,
      true)
    local halves, text = {}, ("x"):rep(43 << 20)
    for index = 1, 3 do halves[tostring(index)] = { ["in"] = text, out = text } end
    assert.matches("more than 134217728; make them smaller", refused(assert(cases.pairs(halves))), 1, true)
  end)

  it("passes on that the bucket can't be read", function()
    held.fail = function() return "no route", "unavailable" end
    assert.are.same({ nil, "no route", "unavailable" }, { replace(held, names, two_lines) })
  end)
end)
