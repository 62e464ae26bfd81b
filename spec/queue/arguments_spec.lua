local arguments = require "submitter.queue.arguments"

describe("arguments of queues", function()
  it("are hidden times of up to 12 hours, in whole milliseconds", function()
    for _, good in ipairs { 0, 1, arguments.visibility_limit_ms } do arguments.check_hidden(good, "visibility_ms") end
    for _, wrong in ipairs { -1, 1.5, "5", arguments.visibility_limit_ms + 1, {} } do
      local _, message = pcall(arguments.check_hidden, wrong, "visibility_ms")
      assert.matches("visibility_ms must be whole milliseconds from 0 to 43200000, found", message, 1, true)
    end
  end)

  it("are a text to send, and perhaps a delay", function()
    assert.are.equal(0, arguments.check_send "x")
    assert.are.equal(0, arguments.check_send("", {}))
    assert.are.equal(5, arguments.check_send("x", { delay_ms = 5 }))
    local function refused(pattern, ...)
      local good, message = pcall(arguments.check_send, ...)
      assert.is_false(good)
      assert.matches(pattern, message, 1, true)
    end
    refused("the body a text", 5)
    refused('unknown option "delay"; expected queue:send(body', "x", { delay = 5 })
    refused("delay_ms must be whole milliseconds", "x", { delay_ms = -1 })
  end)
end)
