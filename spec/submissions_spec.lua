local directory_store = require "submitter.store.directory"
local fake_store = require "spec.fake.store"
local path = require "submitter.path"
local submissions = require "submitter.submissions"
local support = require "spec.support"

local one, other = ("1"):rep(32), ("ab"):rep(16)

local function objects_of(base, subid)
  local folder = ("%s/%s/%s"):format(base, subid, subid)
  return { folder .. ".json", folder .. ".py", folder .. ".result.json", folder .. ".grade.out" }
end

local function fill(objects, keys)
  for _, name in ipairs(keys) do objects[name] = "x" end
end

local function keys_of(found)
  local keys = {}
  for index, submission in ipairs(found) do keys[index] = submission.location.key end
  return keys
end

describe("the submissions of a bucket", function()
  local store
  before_each(function()
    store = fake_store.open()
    fill(store.objects, objects_of("a/e/s", one))
    fill(store.objects, objects_of("a/e/s", other))
    fill(store.objects, objects_of("a/e/t", one))
    fill(store.objects, objects_of("a/f/s", one))
    fill(store.objects, objects_of("/a/e/s", one))
    fill(store.objects, {
      "a/e/s/grading/test.in", "a/e/s/grading/grade/1.in", "a/e/s/grading/policy.lua",
      "a/e/s/grading/results/" .. one .. ".json", "a/e/s/grading/results/" .. one .. ".grade.json",
      "a/e/s/grading/results/" .. one .. ".txt", "a/e/s/grading/results/notes.json",
      "a/e/s/grading/" .. one .. ".json",
      "a/e/s/README.md", "a/e/README.md", "a/x.json", ("a/e/s/%s/x.json"):format(one:sub(2)),
      ("a/e/s/%s/%s.json"):format(("A"):rep(32), ("A"):rep(32)), ("b/e/s/%s/%s.json"):format(one, one),
      ("ab/e/s/%s/%s.json"):format(one, one), ("a/\xff/s/%s/%s.json"):format(one, one),
    })
  end)

  local function below(text)
    return keys_of(assert(submissions.below(store, assert(path.parse(text)))))
  end

  local function document(base, subid) return ("%s/%s/%s.json"):format(base, subid, subid) end

  it("are those whose document lies below the path, in both spellings of the keys", function()
    assert.are.same({ document("a/e/s", one), document("a/e/s", other), document("a/e/t", one), document("a/f/s", one),
      document("/a/e/s", one) }, below "a")
    assert.are.same({ document("a/e/s", one), document("a/e/s", other), document("a/e/t", one),
      document("/a/e/s", one) }, below "/a/e")
    assert.are.same({ document("a/e/t", one) }, below "a/e/t")
    assert.are.same({ document("a/e/s", other) }, below("a/e/s/" .. other))
    assert.are.same({}, below "c")
  end)

  it("have the time of their document", function()
    store.times[document("a/e/t", one)] = 1234
    assert.are.equal(1234, assert(submissions.below(store, assert(path.parse "a/e/t")))[1].modified_ms)
  end)

  it("have objects beside the document, and truths", function()
    local parts = {}
    assert(submissions.objects(store, assert(path.parse("a/e/s/" .. one)), function(object)
      parts[object.key] = object.part .. (object.mode and " " .. object.mode or "")
      return true
    end))
    local folder = ("a/e/s/%s/%s"):format(one, one)
    assert.are.same({
      [folder .. ".json"] = "document", [folder .. ".py"] = "source", [folder .. ".result.json"] = "beside",
      [folder .. ".grade.out"] = "beside", ["/" .. folder .. ".json"] = "document", ["/" .. folder .. ".py"] = "source",
      ["/" .. folder .. ".result.json"] = "beside", ["/" .. folder .. ".grade.out"] = "beside",
      ["a/e/s/grading/results/" .. one .. ".json"] = "truth test",
      ["a/e/s/grading/results/" .. one .. ".grade.json"] = "truth grade",
    }, parts)
  end)

  it("have objects of one spelling each", function()
    local first = assert(submissions.below(store, assert(path.parse("a/e/s/" .. one))))[1]
    assert.are.equal(6, #assert(submissions.of(store, first.location)))
    assert.are.equal(4, #assert(submissions.of(store, first.location:with_root "/")))
  end)

  it("are found in a directory once, and what is no file isn't one", function()
    local root = support.directory()
    finally(support.clean)
    local bucket = assert(root:open("bucket", { create = true }))
    local real = directory_store.open { directory = bucket, locks = assert(root:open("locks", { create = true })) }
    for _, name in ipairs(objects_of("a/e/s", one)) do assert(real:put(name, "x")) end
    assert(bucket:make(document("a/e/s", other), { parents = true }))
    assert.are.same({ document("a/e/s", one) }, keys_of(assert(submissions.below(real, assert(path.parse "/a/e")))))
  end)

  describe("in a large bucket", function()
    -- Lists no more than so many objects, as S3's does.
    local function bound(limit)
      store.fail = function(call)
        local prefix = call:match "^list (.*)$"
        local count = 0
        for name in pairs(store.objects) do
          if prefix and name:sub(1, #prefix) == prefix then count = count + 1 end
        end
        if count > limit then return "more than " .. limit .. " objects begin with that prefix", "too_large" end
      end
    end

    it("are listed by parts of an assignment, to the same effect", function()
      for number = 0, 40 do
        local subid = ("%032x"):format(number)
        fill(store.objects, objects_of("a/e/s", subid))
        store.objects["a/e/s/grading/results/" .. subid .. ".json"] = "x"
      end
      local function all()
        local keys = {}
        assert(submissions.objects(store, assert(path.parse "a/e/s"), function(object)
          keys[#keys + 1] = object.key
          return true
        end))
        table.sort(keys)
        return keys
      end
      local whole = all()
      bound(20)
      assert.are.same(whole, all())
    end)

    it("need a longer path where the next part of a key is anybody's name", function()
      bound(3)
      local found, message, code = submissions.below(store, assert(path.parse "a/e"))
      assert.is_nil(found)
      assert.are.equal("too_large", code)
      assert.matches("name an event or an assignment", message, 1, true)
    end)
  end)

  it("pass on what the store says, and what the visitor says", function()
    local found, message, code = submissions.objects(store, assert(path.parse "a"), function()
      return nil, "not this one", "stopped"
    end)
    assert.are.same({ nil, "not this one", "stopped" }, { found, message, code })
    store.fail = function() return "the bucket is away", "unavailable" end
    found, message, code = submissions.below(store, assert(path.parse "a"))
    assert.are.same({ nil, "the bucket is away", "unavailable" }, { found, message, code })
    found, message, code = submissions.of(store, { root = "", base = "a/e/s", subid = one })
    assert.are.same({ nil, "the bucket is away", "unavailable" }, { found, message, code })
  end)

  it("can be told to people", function()
    assert.are.equal("a/e/s/" .. one, submissions.describe { root = "", base = "a/e/s", subid = one })
  end)
end)
