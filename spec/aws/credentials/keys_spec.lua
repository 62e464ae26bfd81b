local keys = require "submitter.aws.credentials.keys"

describe("a JSON answer with keys", function()
  local good = '{"AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-24T06:00:00Z"%s}'

  local function read(text, options)
    options = options or {}
    options.token, options.source = options.token or "Token", "somewhere"
    return keys.read(text, "somewhere", options)
  end

  it("is read", function()
    assert.are.same({ access_key_id = "ASIA1", secret_access_key = "s", session_token = "t", expires_s = 1795500000,
      source = "somewhere" }, read(good:format ""))
    assert.are.same({ access_key_id = "A", secret_access_key = "s", source = "somewhere" },
      read '{"AccessKeyId":"A","SecretAccessKey":"s","Token":null,"Expiration":""}')
    assert.is_table(read(good:format ',"Code":"Success","Version":1', { version = 1 }))
  end)

  it("is refused when something is missing or strange, without showing it", function()
    for text, expected in pairs {
      ["topsecret"] = "doesn't answer with a JSON object",
      ['"topsecret"'] = "doesn't answer with a JSON object",
      ['{"AccessKeyId":"A"}'] = "the secret access key is missing",
      ['{"SecretAccessKey":"topsecret"}'] = "the access key id is missing",
      ['{"AccessKeyId":1,"SecretAccessKey":"topsecret"}'] = "the access key id holds",
      ['{"AccessKeyId":"A\\r\\nX: y","SecretAccessKey":"topsecret"}'] = "the access key id holds white space",
      ['{"AccessKeyId":"A","SecretAccessKey":"topsecret","Expiration":"soon"}'] = "Expiration is no time",
      ['{"AccessKeyId":"A","SecretAccessKey":"topsecret","Expiration":12}'] = "Expiration is no time",
      ['{"Code":"AssumeRoleUnauthorizedAccess","Message":"no trust\\u001b"}'] =
        "somewhere answers AssumeRoleUnauthorizedAccess: no trust\\e",
    } do
      local found, message, code = read(text)
      assert.is_nil(found)
      assert.are.equal("unavailable", code)
      assert.matches(expected, message, 1, true)
      assert.is_nil(message:find "topsecret")
    end
  end)

  it("may have to hold token, end and version", function()
    local bare = '{"AccessKeyId":"A","SecretAccessKey":"s"}'
    assert.matches("the Token is missing", select(2, read(bare, { needs_token = true })))
    assert.matches("the Expiration is missing", select(2, read(bare, { needs_expiration = true })))
    local message, code = select(2, read(bare, { version = 1 }))
    assert.are.equal("somewhere must answer with \"Version\": 1, the only one that is known", message)
    assert.are.equal("configuration", code)
  end)
end)
