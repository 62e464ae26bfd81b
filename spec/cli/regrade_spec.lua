--- `submitter regrade`, by the real program on an embedded bucket; with a queue that fails, in this process.
local command = require "submitter.cli.regrade"
local fake_store = require "spec.fake.store"
local host = require "submitter.host"
local options = require "submitter.cli.options"
local path = require "submitter.path"
local shared = require "spec.support"
local support = require "spec.cli.support"

describe("submitter regrade", function()
  local folder
  before_each(function() folder = support.folder() end)
  after_each(function() folder.remove_all() end)

  local function run(...) return support.submitter(folder, { "regrade", ... }) end

  local function hand_in(where, number)
    local subid = ("%032x"):format(number)
    folder:write(("var/bucket/%s/%s/%s.json"):format(where, subid, subid), "{}")
  end

  -- The messages that are queued, decoded.
  local function messages()
    local found = {}
    local ready = host.file.directory(folder.var .. "/queue/ready")
    for _, entry in ipairs(ready and ready:list "." or {}) do
      found[#found + 1] = assert(host.json.decode(assert(ready:read(entry.name))))
    end
    table.sort(found, function(left, right) return left.subdata < right.subdata end)
    return found
  end

  it("queues one message for each submission below the path, with one fresh id", function()
    hand_in("a/e/s", 1)
    hand_in("a/e/s", 2)
    hand_in("a/f/s", 3)
    folder:write("var/bucket/a/e/s/grading/results/" .. ("%032x"):format(1) .. ".json", "{}")
    local ended = run("a/e", "--mode", "grade")
    assert.equal(0, ended.exit_code, ended.stderr)
    local id = ended.stdout:match "\nid%s+(%S+)\n$"
    assert.matches("queued  2 submissions below a/e, mode grade", ended.stdout, 1, true)
    local queued = messages()
    assert.equal(2, #queued)
    for number, message in ipairs(queued) do
      local subid = ("%032x"):format(number)
      assert.same({ subdata = ("a/e/s/%s/%s.json"):format(subid, subid), mode = "grade", regrade = id }, message)
    end
  end)

  it("is about the test cases unless told otherwise, and goes on with an id", function()
    hand_in("a/e/s", 1)
    assert.equal(0, run("/a/e/s/" .. ("%032x"):format(1), "--id", "mine").exit_code)
    assert.equal("test", messages()[1].mode)
    assert.equal("mine", messages()[1].regrade)
  end)

  it("refuses what it can't do, and says why", function()
    for _, case in ipairs {
      { { "a/nothing" }, "there is no submission below a/nothing" },
      { {}, "PATH" },
      { { "a//e" }, "two slashes meet" },
      { { "a/e/s/x" }, "is no subid" },
      { { "a", "--mode", "both" }, "'both' is not one of: test, grade" },
      { { "a", "--id", "a b" }, "--id 'a b' must be" },
    } do
      local ended = run(table.unpack(case[1]))
      assert.equal(2, ended.exit_code, ended.stderr)
      assert.matches(case[2], ended.stderr, 1, true)
    end
    assert.same({}, messages())
  end)

  it("says how many are queued when the queue fails, and how to go on", function()
    local subid = ("1"):rep(32)
    local store = fake_store.open()
    for number = 1, 30 do
      local one = ("%032x"):format(number)
      store.objects[("a/e/s/%s/%s.json"):format(one, one)] = "{}"
    end
    local sent = 0
    local queue = { send = function()
      sent = sent + 1
      if sent > 4 then return nil, "the queue is away", "unavailable" end
      return subid
    end }
    finally(shared.replace(options, {
      with_services = function(_, _, body) return body { store = store, queue = queue } end,
    }))
    local result, message, code = command.run { path = assert(path.parse "a/e"), mode = "grade", id = "mine" }
    assert.is_nil(result)
    assert.matches("4 of 30 submissions were queued, then the queue failed: the queue is away", message, 1, true)
    assert.matches("submitter regrade 'a/e' --mode grade --id mine", message, 1, true)
    assert.equal("unavailable", code)
    store.fail = function() return "the bucket is away", "unavailable" end
    result, message = command.run { path = assert(path.parse "a/e"), mode = "grade" }
    assert.same({ nil, "the bucket is away" }, { result, message })
  end)
end)
