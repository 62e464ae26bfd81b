local url = require "submitter.aws.url"

describe("the parts of a URL", function()
  it("are told apart", function()
    assert.are.same({ scheme = "https", host = "s3.example.org", port = 443, authority = "s3.example.org", path = "" },
      url.parse "https://s3.example.org")
    assert.are.same({
      scheme = "http", host = "localhost", port = 9000, authority = "localhost:9000", path = "/a/b", query = "c=d",
    }, url.parse "HTTP://LocalHost:9000/a/b?c=d")
    assert.are.same({
      scheme = "http", host = "fd00:ec2::23", port = 80, authority = "[fd00:ec2::23]", path = "/v1/credentials",
    }, url.parse "http://[fd00:ec2::23]:80/v1/credentials")
    assert.are.equal("", url.parse("http://a/?").query)
  end)

  it("are refused where they don't fit, without being shown", function()
    for text, expected in pairs {
      ["ftp://host"] = "http://", ["host"] = "http://", ["//host/secret"] = "http://", ["/credentials"] = "http://",
      ["https://user:secret@host"] = "password", ["https://host/#secret"] = "fragment", ["https://"] = "host",
      ["https://ho st"] = "white space", ["https://host\\secret"] = "backslashes", ["https://-host"] = "host",
      ["https://a..b"] = "host", ["https://host:0"] = "port", ["https://host:65536"] = "port",
      ["https://host:99999999999999999999"] = "port", ["https://host:x"] = "host", ["https://[1.2.3.4]"] = "host",
      ["https://[::1"] = "host", ["https://host\n"] = "white space", ["https://münchen.example"] = "ASCII",
    } do
      local parts, message = url.parse(text)
      assert.is_nil(parts)
      assert.matches(expected, message, 1, true)
      assert.is_nil(message:find "secret")
    end
  end)
end)

describe("the address of a service", function()
  it("has no slash at its end, and no port that is the scheme's own", function()
    assert.are.equal("https://s3.example.org", url.endpoint("https://S3.example.org:443/", "it"))
    assert.are.equal("http://127.0.0.1:9000/store/s3", url.endpoint("http://127.0.0.1:9000/store/s3//", "it"))
  end)

  it("is refused with its place, and without a password in it", function()
    local address, message, code = url.endpoint("https://host/?a=b", "AWS_ENDPOINT_URL")
    assert.is_nil(address)
    assert.are.equal("configuration", code)
    assert.matches('^AWS_ENDPOINT_URL: "https://host/%?a=b" is no endpoint that can be used: it must not have a query',
      message)
    message = select(2, url.endpoint("https://grace:secret@host", "AWS_ENDPOINT_URL"))
    assert.matches("^AWS_ENDPOINT_URL: an endpoint", message)
    assert.is_nil(message:find "secret")
  end)
end)

describe("a query", function()
  it("is written in the order given", function()
    assert.are.equal("list-type=2&prefix=a%20b%2F&b=",
      url.query { { "list-type", "2" }, { "prefix", "a b/" }, { "b", "" } })
  end)
end)

describe("a host", function()
  it("is an address or a name", function()
    for _, address in ipairs { "127.0.0.1", "::1", "[::1]" } do assert.is_true(url.is_address(address)) end
    for _, name in ipairs { "localhost", "s3.amazonaws.com", "1.2.3.example" } do
      assert.is_false(url.is_address(name))
    end
  end)
end)
