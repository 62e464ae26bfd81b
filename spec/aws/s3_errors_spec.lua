local s3_errors = require "submitter.aws.s3_errors"

describe("what S3 says when it refuses", function()
  local function read(status, body, headers, is_head)
    return s3_errors.read({ status = status, body = body, headers = headers or {} }, is_head)
  end

  it("is read from its XML", function()
    local code, message, about = read(400, [[<?xml version="1.0" encoding="UTF-8"?>
      <Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong</Message>
      <Region>eu-west-1</Region><Token-0>secret</Token-0></Error>]])
    assert.are.equal("AuthorizationHeaderMalformed", code)
    assert.are.equal("the region 'us-east-1' is wrong", message)
    assert.are.same({ region = "eu-west-1" }, about)
  end)

  it("tells the region by header, element or endpoint, and the time", function()
    local function region_of(body, headers)
      local _, _, about = read(301, body, headers)
      return about.region
    end
    local redirect = "<Error><Code>PermanentRedirect</Code><Endpoint>%s</Endpoint></Error>"
    assert.are.equal("eu-west-2", region_of(redirect:format "b.s3-us-west-1.amazonaws.com",
      { { "x-amz-bucket-region", "eu-west-2" } }))
    assert.are.equal("us-west-1", region_of(redirect:format "b.s3-us-west-1.amazonaws.com"))
    assert.are.equal("ap-southeast-2", region_of(redirect:format "b.s3.ap-southeast-2.amazonaws.com"))
    assert.is_nil(region_of(redirect:format "b.s3.amazonaws.com"))
    assert.is_nil(region_of "")
    local _, _, about = read(403, "<Error><Code>RequestTimeTooSkewed</Code><ServerTime>2023-11-14T22:13:20Z"
      .. "</ServerTime></Error>")
    assert.are.equal(1700000000, about.server_time_s)
  end)

  it("is guessed from the status alone only where that is sure", function()
    for status, code in pairs { [301] = "PermanentRedirect", [400] = "BadRequest", [403] = "Forbidden",
      [404] = "NotFound", [412] = "PreconditionFailed" } do
      assert.are.equal(code, (read(status, "", nil, true)))
    end
    assert.are.equal("PreconditionFailed", (read(412, "")))
    for _, body in ipairs { "", "<html>no such page</html>", "<Error><Code>", "<Error/>", "<Error><Code/></Error>",
      '<!DOCTYPE Error><Error><Code>NoSuchKey</Code></Error>', "<a><Error><Code>NoSuchKey</Code></Error></a>" } do
      assert.is_nil((read(404, body)), body)
    end
    assert.is_nil((read(404, nil)))
  end)

  it("is read although a key in it isn't XML", function()
    local form = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>%s<Key>%s</Key></Error>'
    for _, shown in ipairs { "a&#x1;b", "&eacute;", "a\1b", "\xff" } do
      assert.are.same({ "NoSuchKey", "It isn't there.", {} },
        { read(404, form:format("<Message>It isn't there.</Message>", shown)) })
      assert.are.equal("NoSuchKey", (read(404, form:format("", shown))))
      assert.are.equal("NoSuchKey", (s3_errors.read_good { body = form:format("", shown) }))
    end
    assert.is_nil((read(404, (form:gsub("Code>", "Cod>")):format("", "\1"))))
    assert.is_nil((read(404, "<?xml version='1.0'?><a>&eacute;<Error><Code>NoSuchKey</Code></Error></a>")))
  end)

  it("may come with a good status", function()
    assert.are.same({ "InternalError", "m" }, { s3_errors.read_good { body =
      "<Error><Code>InternalError</Code><Message>m</Message></Error>" } })
    assert.are.equal("InternalError", (s3_errors.read_good { body = "<Error></Error>" }))
    for _, body in ipairs { "", "<ListBucketResult/>", "text about <Error" } do
      assert.is_nil((s3_errors.read_good { body = body }))
    end
  end)

  it("comes with what the operator can do", function()
    assert.matches("s3:GetObject on the bucket b .+ s3:ListBucket: without it S3 refuses to say",
      s3_errors.remedy("AccessDenied", "GetObject", "b"))
    assert.matches("s3:GetObject", s3_errors.remedy("Forbidden", "HeadObject", "b"))
    local put = s3_errors.remedy("AccessDenied", "PutObject", "b")
    assert.matches("s3:PutObject", put)
    assert.is_nil(put:find "ListBucket")
    assert.matches("s3:ListBucket", s3_errors.remedy("AccessDenied", "ListObjectsV2", "b"))
    assert.matches("s3:DeleteObject", s3_errors.remedy("AccessDenied", "DeleteObject", "b"))
    assert.matches("create it, or correct its name", s3_errors.remedy("NoSuchBucket", "GetObject", "b"))
    assert.matches("credentials", s3_errors.remedy("InvalidAccessKeyId", "GetObject", "b"))
    assert.matches("region", s3_errors.remedy("PermanentRedirect", "GetObject", "b"))
    assert.matches("clock", s3_errors.remedy("RequestTimeTooSkewed", "GetObject", "b"))
    assert.matches("conditional", s3_errors.remedy("NotImplemented", "PutObject", "b"))
    assert.matches("endpoint", s3_errors.remedy("HTTP 404", "GetObject", "b"))
    assert.is_nil(s3_errors.remedy("SlowDown", "GetObject", "b"))
  end)
end)
