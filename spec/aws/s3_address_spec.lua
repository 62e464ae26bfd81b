local s3_address = require "submitter.aws.s3_address"

describe("where a bucket is", function()
  it("takes the names that buckets have", function()
    for _, name in ipairs { "abc", "my-submissions", "a.b.c", "Old_Bucket", "1bucket", ("x"):rep(63) } do
      assert(s3_address.check_bucket(name))
    end
  end)

  it("refuses others, and says what they are", function()
    local function refuses(name, pattern)
      local good, message = s3_address.check_bucket(name)
      assert.is_nil(good)
      assert.matches(pattern, message)
      assert.is_nil(message:find("%c"))
    end
    refuses("arn:aws:s3:eu-west-1:123456789012:accesspoint/x", "access points")
    refuses("s3://bucket/prefix", "leave out the s3://")
    refuses("x--euw1-az1--x-s3", "directory bucket")
    refuses(nil, "found nothing")
    refuses(7, "found a number")
    for _, name in ipairs { "", "ab", "a/b", "a b", "-ab", "ab-", "ab.", "a..b", "192.168.0.1", "b\n", "bücket",
      ("x"):rep(256), "a?b", "a#b", "a@b", "a:b" } do
      refuses(name, "expected the name of an S3 bucket")
    end
  end)

  local function address(endpoint, bucket, path_style)
    return assert(s3_address.url(endpoint, bucket, "k", nil, path_style))
  end

  it("is a host of its own where that works", function()
    assert.are.equal("https://b.s3.eu-west-1.amazonaws.com/k", address("https://s3.eu-west-1.amazonaws.com", "b"))
    assert.are.equal("https://bucket.storage.example:90/base/k", address("https://storage.example:90/base", "bucket"))
    assert.are.equal("http://a.b.storage.example/k", address("http://storage.example", "a.b"))
  end)

  it("goes into the path where it doesn't, or where it was said so", function()
    local amazon = "https://s3.eu-central-1.amazonaws.com"
    assert.are.equal(amazon .. "/a.b/k", address(amazon, "a.b"))
    assert.are.equal(amazon .. "/Old_Bucket/k", address(amazon, "Old_Bucket"))
    assert.are.equal(amazon .. "/bucket/k", address(amazon, "bucket", true))
    assert.are.equal(amazon .. "/a.b/k", address(amazon, "a.b", false))
    for _, endpoint in ipairs { "http://127.0.0.1:7480", "http://[::1]:9000", "http://localhost:9000",
      "http://s3.localhost" } do
      assert.are.equal(endpoint .. "/bucket/k", address(endpoint, "bucket"))
    end
    assert.are.equal("http://bucket.localhost:9000/k", address("http://localhost:9000", "bucket", false))
    assert.are.equal("http://127.0.0.1/bucket/k", address("http://127.0.0.1", "bucket", false))
  end)

  it("keeps each key's bytes", function()
    for key, path in pairs { ["a/b.py"] = "a/b.py", ["/a"] = "/a", ["a//b"] = "a//b", ["../a"] = "../a",
      ["./a"] = "./a", ["a b+c?d#e"] = "a%20b%2Bc%3Fd%23e", ["ü"] = "%C3%BC" } do
      assert.are.equal("https://bucket.s3.example/" .. path, s3_address.url("https://s3.example", "bucket", key))
      assert.are.equal("http://127.0.0.1/bucket/" .. path, s3_address.url("http://127.0.0.1", "bucket", key))
    end
  end)

  it("stands alone with a query", function()
    assert.are.equal("https://bucket.s3.example/?a=b", s3_address.url("https://s3.example", "bucket", nil, "a=b"))
    assert.are.equal("https://s3.example/bucket?a=b", s3_address.url("https://s3.example", "bucket", nil, "a=b", true))
  end)

  it("says when the endpoint is no address", function()
    local url, message = s3_address.url("ftp://x", "bucket", "k")
    assert.is_nil(url)
    assert.matches("the endpoint of S3: ", message)
  end)
end)
