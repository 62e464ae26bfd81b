local fake = require "spec.fake.grading"
local students = require "submitter.pipeline.students"
local support = require "spec.support"

local host = require "submitter.host"
local key = require "submitter.key"

describe("students", function()
  local job, asked, answer, logged, restore

  before_each(function()
    asked, logged = {}, {}
    answer = { { students = {}, known = 1, unknown = 2 } }
    job = {
      location = assert(key.parse_document(fake.prefix .. ".json")), policy = { tokens = "any" },
      document = { tokens = { fake.token, ("1"):rep(32), ("2"):rep(32) } },
      recorder = { team = function(_, location, tokens)
        asked[#asked + 1] = { location, tokens }
        return table.unpack(answer, 1, 3)
      end },
    }
    restore = support.replace(host.log, { info = function(event, fields) logged[#logged + 1] = { event, fields } end })
  end)
  after_each(function() restore() end)

  it("are looked up by the tokens of the document", function()
    assert.is_true(students.step(job))
    assert.are.equal(answer[1], job.team)
    assert.are.same({ { job.location, job.document.tokens } }, asked)
  end)

  it("that nobody knows are told by their number alone", function()
    assert(students.step(job))
    assert.are.equal(1, #logged)
    assert.are.equal("tokens_unknown", logged[1][1])
    assert.are.same({ subid = fake.subid, assignment = fake.base, known = 1, unknown = 2 }, logged[1][2])
  end)

  it("are nobody's business without a database", function()
    job.recorder = nil
    assert.is_true(students.step(job))
    assert.is_nil(job.team)
    assert.are.same({}, logged)
  end)

  it("may all have to be known", function()
    job.policy.tokens = "known"
    local done, message, code = students.step(job)
    assert.is_nil(done)
    assert.are.equal("rejected", code)
    assert.matches("2 of 3 tokens aren't known for .*m.soltys/aws_labs.*; register", message)
    answer = { { students = {}, known = 2, unknown = 1 } }
    job.team = nil
    assert.matches("1 of 3 tokens isn't known for", select(2, students.step(job)), 1, true)
    answer = { { students = {}, known = 0, unknown = 1 } }
    job.team = nil
    assert.matches("its token isn't known for", select(2, students.step(job)), 1, true)
    -- What was found is in the rejection's document as well.
    assert.are.equal(1, job.team.unknown)
    answer = { { students = {}, known = 3, unknown = 0 } }
    job.team = nil
    assert.is_true(students.step(job))
  end)

  it("can't have to be known where nobody can know them", function()
    job.policy.tokens, job.recorder = "known", nil
    local done, message, code = students.step(job)
    assert.is_nil(done)
    assert.are.equal("policy", code)
    assert.matches("no database", message, 1, true)
  end)

  it("aren't known while the database is away", function()
    answer = { nil, "the server is away", "unavailable" }
    assert.are.same({ nil, "the server is away", "unavailable" }, { students.step(job) })
    assert.is_nil(job.team)
  end)

  it("are found once, and only of a document that was read", function()
    assert(students.find(job))
    assert(students.find(job))
    assert.are.equal(1, #asked)
    assert.is_true(students.find { recorder = job.recorder })
    assert.are.equal(1, #asked)
  end)
end)
