local fake_store = require "spec.fake.store"
local reach = require "submitter.cli.reach"

describe("the bucket, tried", function()
  local store

  before_each(function() store = fake_store.open() end)

  local function look(settings)
    return reach.bucket { store = store, configuration = { bucket = settings or { kind = "s3", name = "b" } } }
  end

  it("is well when it keeps conditions, and is left as it was", function()
    local found = look()
    assert.are.same({ "ok", "bucket" }, { found.state, found.name })
    assert.matches("^bucket b of S3; an object was put there, read and deleted", found.text)
    assert.is_nil(next(store.objects))
  end)

  it("isn't when it writes in spite of a condition", function()
    local put = store.put
    for _, ignored in ipairs { "if_none_match", "if_match" } do
      function store:put(key, text, options)
        if options[ignored] and self.objects[key] then options = nil end
        return put(self, key, text, options)
      end
      local found = look()
      assert.are.equal("fail", found.state, ignored)
      assert.matches("writes although the condition", found.text)
      assert.matches("conditional_writes = false", found.remedy, 1, true)
      assert.is_nil(next(store.objects))
    end
  end)

  it("says what fails, and cleans up", function()
    for _, verb in ipairs { "put", "get", "delete" } do
      store.fail = function(call)
        if call:match("^%a+") == verb then return verb .. " was refused", "unavailable" end
      end
      local found = look()
      assert.are.same({ "fail", verb .. " was refused" }, { found.state, found.text })
    end
  end)

  it("is one worker's where conditions are only looked at", function()
    local found = look { kind = "s3", name = "b", conditional_writes = false }
    assert.are.same({ "warn", "see that only one worker runs" }, { found.state, found.remedy })
  end)
end)

describe("the queue, asked", function()
  local function look(depth, message)
    local queue = { depth = function() return depth, message end }
    return reach.queue { queue = queue, configuration = { queue = { kind = "sqs", url = "https://q.example/1/q" } } }
  end

  it("tells its counts", function()
    local found = look { ready = 1, held = 2, dead = 0 }
    assert.are.same({ "ok", "queue https://q.example/1/q of SQS: 1 ready, 2 held, 0 dead" },
      { found.state, found.text })
    found = look { ready = 1, held = 2, dead = 3 }
    assert.are.same({ "warn", "submitter deadletters list" }, { found.state, found.remedy })
  end)

  it("warns of a redrive policy that is absent or too strict", function()
    local found = look { ready = 0, held = 0, dead = 0, least_receives = 11 }
    assert.are.same({ "warn", "give it one with a maxReceiveCount of 11 or more" }, { found.state, found.remedy })
    assert.matches("it has no redrive policy$", found.text)
    found = look { ready = 0, held = 0, dead = 0, least_receives = 11, max_receives = 10 }
    assert.are.equal("warn", found.state)
    assert.matches("after 10 receipts$", found.text)
    found = look { ready = 0, held = 0, dead = 0, least_receives = 11, max_receives = 11 }
    assert.are.equal("ok", found.state)
  end)

  it("isn't well when it, or the queue for dead letters, can't be reached", function()
    local found = look(nil, "no such queue")
    assert.are.same({ "fail", "no such queue" }, { found.state, found.text })
    found = look { ready = 1, held = 2, dead_problem = "no such queue" }
    assert.are.equal("warn", found.state)
    assert.matches("1 ready, 2 held; no such queue", found.text)
    assert.matches("dead_letter_url", found.remedy)
  end)

  it("warns where nothing takes what is given up", function()
    local found = look { ready = 1, held = 2 }
    assert.are.equal("warn", found.state)
    assert.matches("no dead_letter_url", found.text)
  end)
end)
