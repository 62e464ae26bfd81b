local queue_module = require "submitter.queue.directory"
local support = require "spec.support"

describe("dead letters", function()
  local root, queue

  before_each(function()
    root = support.directory()
    queue = assert(queue_module.open { directory = root })
  end)

  after_each(function()
    queue:close()
    support.clean()
  end)

  local function names(folder)
    local found = {}
    for index, entry in ipairs(root:list(folder)) do
      found[index] = entry.name
    end
    return found
  end

  it("are left alone, whoever put them there, and each is said to be", function()
    assert(queue:send("x"))
    assert(queue:dead_letter(queue:receive()[1], "r", "c"))
    local good = assert(root:read("dead/" .. names("dead")[1]))
    for index, text in ipairs {
      '{"died_ms":1}', "5", (good:gsub('"reason": "r"', '"reason": {}')),
      (good:gsub('"receives": 1', '"receives": 1.5')),
    } do
      assert(root:write(("dead/%d.json"):format(index), text))
    end
    local letters
    local logged = support.logged(function() letters = queue:dead_letters() end)
    assert.are.equal(1, #letters)
    assert.are.equal(4, #logged)
    assert.matches("a dead letter: the field reason isn't a text", logged[3].fields.error)
    assert.matches("a dead letter: the field receives isn't a whole number", logged[4].fields.error)
  end)

  it("go by the name of their file, which is what dropping removes", function()
    assert(queue:send("x"))
    assert(queue:dead_letter(queue:receive()[1], "r", "c"))
    local text = assert(root:read("dead/" .. names("dead")[1]))
    assert(root:write("dead/abc.json", (text:gsub('"id": "%x+"', '"id": "../ready/1"'))))
    local letters = queue:dead_letters()
    assert.are.equal(2, #letters)
    for _, letter in ipairs(letters) do
      assert(queue:drop(letter))
    end
    assert.are.same({}, names("dead"))
  end)

  it("can be read back however long and odd the reason was", function()
    assert(queue:send(("\1"):rep(256 << 10)))
    assert(queue:dead_letter(queue:receive()[1], ("\1"):rep(1000000), "policy"))
    local letter = queue:dead_letters()[1]
    assert.are.equal(256 << 10, #letter.body)
    assert.matches("^\1+… %(cut, it had 1000000 bytes%)$", letter.reason)
    assert.is_true(#letter.reason < 9000)
  end)
end)
