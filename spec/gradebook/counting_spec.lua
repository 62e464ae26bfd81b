local counting = require "submitter.gradebook.counting"
local fake_grading = require "spec.fake.grading"
local fake_store = require "spec.fake.store"
local support = require "spec.support"

describe("which attempt counts", function()
  local services
  before_each(function()
    services = { configuration = { policy = { from_bucket = false, limits = {} } }, store = fake_store.open() }
  end)
  after_each(support.clean)

  local function rule(assignment)
    return counting.rule(services, { admin = "a", event = "e", assignment = assignment or "s" })
  end

  it("is the latest unless the policy says otherwise", function()
    assert.are.equal("latest", rule())
    services.policy_directory = fake_grading.policies {
      ["a/e.lua"] = 'return { counts = "best" }', ["a/e/t.lua"] = 'return { counts = "latest" }',
    }
    assert.are.equal("best", rule())
    assert.are.equal("latest", rule "t")
  end)

  it("is said beside the cases only where the operator allows that", function()
    for _, root in ipairs { "", "/" } do
      services.store = fake_store.open { [root .. "a/e/s/grading/policy.lua"] = 'return { counts = "best" }' }
      services.configuration.policy.from_bucket = false
      assert.are.equal("latest", rule())
      services.configuration.policy.from_bucket = true
      assert.are.equal("best", rule())
      assert.are.equal("latest", rule "t")
    end
  end)

  it("isn't guessed where the policy can't be read", function()
    services.policy_directory = fake_grading.policies { ["a/e.lua"] = 'return { counts = "worst" }' }
    local found, message, code = rule()
    assert.is_nil(found)
    assert.matches("counts", message, 1, true)
    assert.matches("a/e.lua", message, 1, true)
    assert.are.equal("policy", code)
    services.configuration.policy.from_bucket = true
    services.store.fail = function() return "the bucket is away", "unavailable" end
    found, message, code = rule()
    assert.are.same({ nil, "the bucket is away", "unavailable" }, { found, message, code })
  end)
end)
