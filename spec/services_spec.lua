local configuration = require "submitter.configuration"
local services = require "submitter.services"
local support = require "spec.support"

describe("services", function()
  local root

  before_each(function()
    root = support.directory()
  end)

  after_each(support.clean)

  local all = { "var", "store", "queue", "policies", "jobs" }

  local function settings_for(changes)
    local settings = assert(configuration.load { system_file = root:path() .. "/none", getenv = function() end })
    settings.var = root:path() .. "/deep/var"
    for name, value in pairs(changes or {}) do
      settings[name] = value
    end
    return settings
  end

  it("makes what is missing and opens the parts", function()
    local settings = settings_for()
    local opened = assert(services.open(settings, table.unpack(all)))
    assert.are.equal(settings, opened.configuration)
    assert.are.equal(root:path() .. "/deep/var", opened.directory:path())
    assert(opened.store:put("/a/b", "1"))
    assert.are.equal("1", root:read("deep/var/bucket/a/b"))
    assert(opened.queue:send("x"))
    assert.are.equal(1, #root:list("deep/var/queue/ready"))
    assert.are.equal(30000, opened.queue.visibility_ms)
    local folder = assert(opened.jobs:make(("0"):rep(32)))
    assert.matches("/deep/var/jobs/[^/]+/0+%.1$", folder.path)
    assert.are.equal(tonumber("700", 8), root:stat("deep/var/jobs").mode)
    assert.are.equal(root:path() .. "/deep/var/policy", opened.policy_directory:path())
    opened:close()
    assert.are.same({}, root:list("deep/var/jobs"))
    -- And once more, over what stands.
    opened = assert(services.open(settings_for(), table.unpack(all)))
    assert.are.equal("1", (opened.store:get("a/b")))
    assert.are.equal("x", opened.queue:receive()[1].body)
    opened:close()
  end)

  it("opens only what is asked for, and the rest later", function()
    local opened = assert(services.open(settings_for(), "store"))
    assert.is_nil(opened.queue)
    assert.is_nil(opened.jobs)
    assert.is_nil(root:stat("deep/var/queue"))
    assert.is_nil(root:stat("deep/var/jobs"))
    assert(opened:open("queue"))
    assert(opened.queue:send("x"))
    opened:close()
    -- A jobs folder that can't be opened, as another user's, is no matter for who grades nothing.
    assert(root:write("deep/var/jobs", ""))
    assert(services.open(settings_for(), "store", "queue", "policies")):close()
    local none, _, code = services.open(settings_for(), "jobs")
    assert.is_nil(none)
    assert.are.equal("environment", code)
  end)

  it("opens the policy directory that is named, and makes none", function()
    assert(root:make("policies"))
    local settings = settings_for()
    settings.policy.directory = root:path() .. "/policies"
    local opened = assert(services.open(settings, "policies"))
    assert.are.equal(root:path() .. "/policies", opened.policy_directory:path())
    assert.is_nil(opened.directory)
    opened:close()
    settings.policy.directory = root:path() .. "/missing"
    local none, message, code = services.open(settings, "policies")
    assert.is_nil(none)
    assert.are.equal("environment", code)
    assert.matches("missing can't be opened: .*SUBMITTER_POLICY", message)
  end)

  it("says what to do when the folder can't be made", function()
    assert(root:write("file", "x"))
    local none, message, code = services.open(settings_for { var = root:path() .. "/file/var" }, "store")
    assert.is_nil(none)
    assert.are.equal("environment", code)
    assert.matches("SUBMITTER_VAR", message)
    assert(root:make("var"))
    assert(root:write("var/queue", "x"))
    none, message = services.open(settings_for { var = root:path() .. "/var" }, "queue")
    assert.is_nil(none)
    assert.matches("var/queue: .*SUBMITTER_VAR", message)
  end)

  it("needs no folder for a bucket and a queue of Amazon's, and has one session for both", function()
    local opened = assert(services.open(settings_for {
      bucket = { kind = "s3", name = "submissions", region = "eu-central-1" },
      queue = { kind = "sqs", url = "https://sqs.eu-central-1.amazonaws.com/123456789012/submissions" },
      aws = { profile = "none", region = "eu-central-1" },
    }, "store", "queue"))
    assert.is_nil(opened.directory)
    assert.is_nil(root:stat("deep"))
    assert.is_function(opened.store.get)
    assert.is_function(opened.queue.receive)
    assert.is_table(opened.session)
    opened:close()
  end)

  it("throws on a part that it doesn't know", function()
    assert.has_error(function() services.open(settings_for(), "rooms") end)
  end)

  it("tells people what a bucket or a queue is", function()
    assert.are.equal("a directory", services.describe { kind = "directory" })
    assert.are.equal("bucket x of S3", services.describe { kind = "s3", name = "x" })
    assert.are.equal("bucket x of S3 at http://h", services.describe { kind = "s3", name = "x", endpoint = "http://h" })
    assert.are.equal("queue https://h/1/q of SQS", services.describe { kind = "sqs", url = "https://h/1/q" })
  end)
end)
