local errors = require "submitter.aws.errors"

describe("what AWS's codes mean", function()
  it("throttling goes before transient", function()
    assert.are.equal("throttling", errors.kind("SlowDown", 503))
    assert.are.equal("throttling", errors.kind("PriorRequestNotComplete", 400))
    assert.are.equal("throttling", errors.kind("HTTP 429", 429))
    assert.are.equal("transient", errors.kind("ServiceUnavailable", 503))
    assert.are.equal("transient", errors.kind("InternalError", 200))
    assert.are.equal("transient", errors.kind("connect"))
    assert.is_nil(errors.kind("NotImplemented", 501))
    assert.is_nil(errors.kind("NoSuchKey", 404))
    assert.is_nil(errors.kind(nil, nil))
  end)

  it("clocks, sessions and keys", function()
    assert.is_true(errors.is_skew "RequestTimeTooSkewed")
    assert.is_false(errors.is_skew "AccessDenied")
    assert.is_true(errors.is_expired "ExpiredToken")
    assert.is_false(errors.is_expired "SignatureDoesNotMatch")
    assert.is_true(errors.is_unknown_key "InvalidAccessKeyId")
    assert.is_false(errors.is_unknown_key(nil))
  end)

  it("what may have been carried out", function()
    for _, class in ipairs { "timeout", "cut", "tls", "too_large" } do assert.is_true(errors.is_ambiguous(class)) end
    for _, class in ipairs { "connect", "library", "configuration", "no_credentials", "unavailable" } do
      assert.is_false(errors.is_ambiguous(class))
    end
    assert.is_true(errors.is_ambiguous("InternalError", 500))
    assert.is_true(errors.is_ambiguous("corrupt", 200))
    assert.is_false(errors.is_ambiguous("SlowDown", 429))
    assert.is_false(errors.is_ambiguous("PreconditionFailed", 412))
  end)
end)
