local answer = require "submitter.aws.answer"

describe("an answer's headers", function()
  it("give the first of a name", function()
    local response = { headers = { { "x", "1" }, { "y", "2" }, { "x", "3" } } }
    assert.are.equal("1", answer.header(response, "x"))
    assert.is_nil(answer.header(response, "z"))
  end)

  it("give S3's request id and the other services'", function()
    assert.are.equal("a", answer.request_id { headers = { { "x-amz-request-id", "a" } } })
    assert.are.equal("b", answer.request_id { headers = { { "x-amzn-requestid", "b" } } })
    assert.is_nil(answer.request_id { headers = {} })
  end)

  it("give the service's time, but not a cache's", function()
    local date = { "date", "Sun, 06 Nov 1994 08:49:37 GMT" }
    assert.are.equal(784111777, answer.date_s { headers = { date } })
    assert.are.equal(784111777, answer.date_s { headers = { date, { "age", "0" } } })
    assert.is_nil(answer.date_s { headers = { date, { "age", "1" } } })
    assert.is_nil(answer.date_s { headers = {} })
    assert.is_nil(answer.date_s { headers = { { "date", "now" } } })
  end)
end)
