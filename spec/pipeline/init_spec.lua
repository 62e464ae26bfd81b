local pipeline = require "submitter.pipeline"

describe("a pipeline", function()
  it("goes through its steps in order, each with the job", function()
    local job, seen = {}, {}
    local function step(name)
      return function(given)
        seen[#seen + 1] = given == job and name
        return true
      end
    end
    assert.is_true(pipeline.run(job, { step "one", step "two" }))
    assert.are.same({ "one", "two" }, seen)
    assert.is_true(pipeline.run(job, {}))
  end)

  it("stops at the first that fails, with its failure", function()
    local later = false
    assert.are.same({ nil, "no cases", "instructor" }, { pipeline.run({}, {
      function() return nil, "no cases", "instructor" end,
      function()
        later = true
        return true
      end,
    }) })
    assert.is_false(later)
  end)

  it("has steps that can be replaced", function()
    local steps = pipeline.steps()
    assert.are.equal(6, #steps)
    steps[2] = function() return nil, "mine", "mine" end
    assert.are_not.equal(steps[2], pipeline.steps()[2])
  end)
end)
