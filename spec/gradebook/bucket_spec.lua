local bucket = require "submitter.gradebook.bucket"
local fake_store = require "spec.fake.store"
local host = require "submitter.host"
local path = require "submitter.path"
local submission = require "submitter.submission"

local one, other = ("1"):rep(32), ("2"):rep(32)

describe("the grade book of a bucket", function()
  local store
  before_each(function() store = fake_store.open() end)

  local function hand_in(subid, tokens, base)
    local admin, event, assignment = (base or "a/e/s"):match "([^/]+)/([^/]+)/([^/]+)$"
    store.objects[("%s/%s/%s.json"):format(base or "a/e/s", subid, subid)] = submission.encode {
      subid = subid, admin = admin, event = event, assignment = assignment, tokens = tokens,
    }
    store.objects[("%s/%s/%s.py"):format(base or "a/e/s", subid, subid)] = "print(1)"
  end

  local function publish(subid, fields, mode, base)
    local document = {
      schema = 1, verdict = "WA", points = 2, max_points = 3, attempt = 4, run = 5, cases = host.json.array {},
      submitted_at = "2026-01-01T00:00:00.000Z",
    }
    for name, value in pairs(fields or {}) do document[name] = value end
    store.objects[("%s/grading/results/%s%s.json"):format(base or "a/e/s", subid, mode == "grade" and ".grade" or "")] =
      host.json.encode(document)
  end

  local function fail(subid, class, mode)
    store.objects[("a/e/s/%s/%s%s.error.json"):format(subid, subid, mode == "grade" and ".grade" or "")] =
      host.json.encode { schema = 1, verdict = "IE", class = class }
  end

  local function rows(text, mode)
    local found = assert(bucket.rows { store = store, path = assert(path.parse(text or "a")), mode = mode })
    table.sort(found, function(left, right)
      return left.event .. left.assignment .. left.subid .. left.mode < right.event .. right.assignment .. right.subid
        .. right.mode
    end)
    return found
  end

  it("has a row for each submission and mode in which something came of it", function()
    hand_in(one, { ("a"):rep(32), ("b"):rep(32) })
    publish(one)
    publish(one, { verdict = "AC", points = 7.5, max_points = 7.5 }, "grade")
    hand_in(other, { ("c"):rep(32) }, "a/f/t")
    publish(other, { attempt = 1 }, "test", "a/f/t")
    local expected = {
      { event = "e", assignment = "s", subid = one, mode = "grade", verdict = "AC", points = 7.5, max_points = 7.5,
        attempt = 4, attempts = 4, submitted_ms = 1767225600000, tokens = 2 },
      { event = "e", assignment = "s", subid = one, mode = "test", verdict = "WA", points = 2, max_points = 3,
        attempt = 4, attempts = 4, submitted_ms = 1767225600000, tokens = 2 },
      { event = "f", assignment = "t", subid = other, mode = "test", verdict = "WA", points = 2, max_points = 3,
        attempt = 1, attempts = 1, submitted_ms = 1767225600000, tokens = 1 },
    }
    assert.are.same(expected, rows())
    assert.are.same({ expected[3] }, rows "a/f")
    assert.are.same({ expected[1] }, rows("a/e/s/" .. one, "grade"))
    assert.are.same({}, rows "b")
  end)

  it("has those that weren't graded, and says why where that is known", function()
    hand_in(one, { ("a"):rep(32) })
    assert.are.same({ event = "e", assignment = "s", subid = one, mode = "test", attempts = 0, tokens = 1,
      note = "not graded yet" }, rows()[1])
    assert.are.equal("grade", rows("a", "grade")[1].mode)
    fail(one, "instructor", "grade")
    local found = rows()
    assert.are.same({ "grade", "last grading failed: instructor" }, { found[1].mode, found[1].note })
    assert.are.equal(1, #found)
    publish(one)
    fail(one, "environment")
    found = rows("a", "test")
    assert.are.same({ "WA", "last grading failed: environment" }, { found[1].verdict, found[1].note })
  end)

  it("says what can't be read and what is gone", function()
    hand_in(one, { ("a"):rep(32) })
    for _, text in ipairs { "{", '{"schema": 2}', "", "null" } do
      store.objects["a/e/s/grading/results/" .. one .. ".json"] = text
      assert.are.equal("the result can't be read", rows()[1].note)
    end
    publish(one)
    store.objects[("a/e/s/%s/%s.json"):format(one, one)] = "{"
    assert.is_nil(rows()[1].tokens)
    assert.is_nil(rows()[1].note)
    store.objects[("a/e/s/%s/%s.json"):format(one, one)] = nil
    assert.are.equal("its document is gone", rows()[1].note)
    fail(one, 5)
    assert.are.equal("last grading failed; its document is gone", rows()[1].note)
  end)

  it("takes figures for figures only", function()
    hand_in(one, { ("a"):rep(32) })
    publish(one, { points = "=1", max_points = host.json.null, submitted_at = "yesterday" })
    local found = rows()[1]
    assert.are.same({ "WA" }, { found.verdict, found.points, found.max_points, found.submitted_ms })
  end)

  it("fails where the bucket does", function()
    hand_in(one, { ("a"):rep(32) })
    publish(one)
    fail(one, "x")
    for _, part in ipairs { "list", ".json", "results/", "error.json" } do
      store.fail = function(call)
        if call:find(part, 1, true) then return "the bucket is away", "unavailable" end
      end
      local found, message, code = bucket.rows { store = store, path = assert(path.parse "a") }
      assert.are.same({ nil, "the bucket is away", "unavailable" }, { found, message, code })
    end
  end)
end)
