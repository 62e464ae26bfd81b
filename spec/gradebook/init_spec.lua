local fake_database = require "spec.fake.database"
local fake_store = require "spec.fake.store"
local gradebook = require "submitter.gradebook"
local path = require "submitter.path"
local sql = require "submitter.database.statements.gradebook"

describe("the grade book", function()
  local services
  before_each(function()
    services = { configuration = { policy = { from_bucket = false, limits = {} } }, store = fake_store.open() }
  end)

  it("comes from the database where there is one", function()
    services.database = fake_database.open()
    services.database:answer(sql.read_assignments, {})
    services.database:answer(sql.read_book, { { event = "e", assignment = "s", mode = "test", attempts = 0 } })
    assert.are.equal("nothing handed in", gradebook.rows { services = services, path = assert(path.parse "a") }[1].note)
    assert.are.same({}, services.store.calls)
    services.database.trouble = function() return "the server is away", "unavailable" end
    local rows, message, code = gradebook.rows { services = services, path = assert(path.parse "a") }
    assert.are.same({ nil, "the server is away", "unavailable" }, { rows, message, code })
  end)

  it("comes from the bucket where there is none", function()
    services.store.objects[("a/e/s/%s/%s.json"):format(("1"):rep(32), ("1"):rep(32))] = "{}"
    assert.are.equal("not graded yet", gradebook.rows { services = services, path = assert(path.parse "a") }[1].note)
  end)

  it("is in one order, whatever order it was read in", function()
    local sorted = {}
    for _, event in ipairs { "a", "b" } do
      for _, assignment in ipairs { "s", "t" } do
        for _, mode in ipairs { "test", "grade" } do
          for _, email in ipairs { "ann@x", "Bob@x", "cay@x", "cay@x2" } do
            sorted[#sorted + 1] = { event = event, assignment = assignment, mode = mode, email = email, attempts = 0 }
          end
          for _, subid in ipairs { "1", "2" } do
            sorted[#sorted + 1] = { event = event, assignment = assignment, mode = mode, subid = subid, attempts = 0 }
          end
        end
      end
    end
    local function say(row)
      return table.concat({ row.event, row.assignment, row.mode, row.email or "-", row.subid or "-" }, " ")
    end
    services.database = fake_database.open()
    services.database:answer(sql.read_assignments, {})
    for _ = 1, 5 do
      local shuffled = table.move(sorted, 1, #sorted, 1, {})
      for index = #shuffled, 2, -1 do
        local with = math.random(index)
        shuffled[index], shuffled[with] = shuffled[with], shuffled[index]
      end
      services.database:answer(sql.read_book, shuffled)
      local rows = assert(gradebook.rows { services = services, path = assert(path.parse "a") })
      for index, row in ipairs(rows) do assert.are.equal(say(sorted[index]), say(row)) end
    end
  end)

  it("says how it is to be called", function()
    assert.error_matches(function() gradebook.rows { services = services } end, "expected gradebook.rows{", 1, true)
    assert.error_matches(function() gradebook.rows { services = services, paht = 1 } end, 'unknown option "paht"', 1,
      true)
  end)
end)
