local host = require "submitter.host"
local sqs_errors = require "submitter.aws.sqs_errors"

describe("SQS's errors", function()
  it("have one name each, whichever protocol's was given", function()
    for given, name in pairs {
      ["com.amazonaws.sqs#QueueDoesNotExist"] = "QueueDoesNotExist",
      ["AWS.SimpleQueueService.NonExistentQueue;Sender"] = "QueueDoesNotExist",
      ["AWS.SimpleQueueService.QueueDoesNotExist"] = "QueueDoesNotExist",
      ["AWS.SimpleQueueService.MessageNotInflight;Sender"] = "MessageNotInflight",
      ["com.amazon.coral.service#AccessDeniedException"] = "AccessDenied",
      ["AccessDenied;Sender"] = "AccessDenied",
      ["InvalidParameterValueException:http://internal.amazon.com/coral/"] = "InvalidParameterValue",
      ["KMS.AccessDeniedException;Sender"] = "KmsAccessDenied",
      ["RequestThrottled"] = "RequestThrottled",
      [""] = "unknown",
    } do
      assert.are.equal(name, sqs_errors.canonical(given), given)
    end
    assert.are.equal("unknown", sqs_errors.canonical(nil))
    assert.are.equal("unknown", sqs_errors.canonical {})
    assert.are.equal(100, #sqs_errors.canonical(("x"):rep(5000)))
  end)

  local function read(body, ...)
    return { sqs_errors.read { body = type(body) == "string" and body or host.json.encode(body), headers = { ... } } }
  end

  it("are read out of an answer, the query protocol's code first", function()
    local header = { "x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender" }
    assert.are.same({ "QueueDoesNotExist", "no such queue" },
      read({ __type = "com.amazonaws.sqs#Other", message = "no such queue" }, header))
    assert.are.same({ "ReceiptHandleIsInvalid", "bad" },
      read { __type = "com.amazonaws.sqs#ReceiptHandleIsInvalid", Message = "bad" })
    assert.are.same({ "ServiceUnavailable" }, read("<html>", { "x-amzn-errortype", "ServiceUnavailable:" }))
    assert.are.same({}, read("<html>503</html>"))
    assert.are.same({}, read("[]"))
    assert.are.same({}, read { __type = 5 })
  end)

  it("say whether waiting helps", function()
    local expired = "Value AQEB for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    local beyond = "Value 60 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the "
      .. "message is beyond the limit [43200 seconds]"
    for _, case in ipairs {
      { "ReceiptHandleIsInvalid", "", "lease_lost" }, { "MessageNotInflight", "", "lease_lost" },
      { "InvalidParameterValue", expired, "lease_lost" }, { "InvalidParameterValue", beyond, "lease_lost" },
      { "InvalidParameterValue", "Reason: Message must be shorter than 262144 bytes.", "too_large" },
      { "InvalidParameterValue", "Value 99 for parameter WaitTimeSeconds is invalid.", "environment" },
      { "InvalidMessageContents", "", "message" }, { "BatchRequestTooLong", "", "too_large" },
      { "AccessDenied", "", "environment" }, { "QueueDoesNotExist", "", "environment" },
      { "KmsDisabled", "", "environment" }, { "KmsThrottled", "", "unavailable" }, { "OverLimit", "", "unavailable" },
      { "no_credentials", "", "environment" }, { "connect", "", "unavailable" }, { "timeout", "", "unavailable" },
      { "HTTP 502", "", "unavailable" }, { "RequestThrottled", "", "unavailable" }, { nil, nil, "unavailable" },
    } do
      assert.are.equal(case[3], sqs_errors.class(case[1], case[2]), case[1])
    end
    assert.are.equal("unavailable", sqs_errors.class("InvalidClientTokenId", "", { retryable = true }))
  end)

  it("come with what to do about them", function()
    local queue = { url = "https://sqs.eu-central-1.amazonaws.com/1/q", region = "eu-central-1" }
    local function remedy(code, operation) return sqs_errors.remedy(code, operation, queue) end
    assert.matches("allow sqs:DeleteMessage on this queue", remedy("AccessDenied", "DeleteMessageBatch"), 1, true)
    assert.matches("sqs:ReceiveMessage", remedy("AccessDenied", "ReceiveMessage"), 1, true)
    assert.matches(queue.url .. " in eu-central-1", remedy("QueueDoesNotExist", "ReceiveMessage"), 1, true)
    assert.matches("kms:Decrypt on", remedy("KmsAccessDenied", "ReceiveMessage"), 1, true)
    assert.matches("kms:GenerateDataKey and kms:Decrypt", remedy("KmsAccessDenied", "SendMessage"), 1, true)
    assert.matches("AWS_CA_BUNDLE", remedy("tls", "SendMessage"), 1, true)
    for _, code in ipairs { "KmsDisabled", "OverLimit", "InvalidAddress", "InvalidSecurity", "QueueDeletedRecently" } do
      assert.is_string(remedy(code, "ReceiveMessage"), code)
    end
    assert.matches("check the credentials", remedy("SignatureDoesNotMatch", "SendMessage"), 1, true)
    for status, code in pairs { [415] = "UnsupportedMediaType", [400] = "MissingAction", [404] = "HTTP 404" } do
      assert.matches("SQS's JSON protocol", sqs_errors.remedy(code, "SendMessage", queue, status), 1, true)
    end
    assert.is_nil(sqs_errors.remedy("HTTP 418", "SendMessage", queue, 418))
    assert.is_nil(remedy("cut", "ReceiveMessage"))
    assert.is_nil(remedy(nil, "ReceiveMessage"))
  end)
end)
