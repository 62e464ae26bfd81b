local uri = require "submitter.aws.uri"

describe("percent-encoding", function()
  it("keeps what RFC 3986 reserves for nothing", function()
    local unreserved = "ABCXYZabcxyz0189-._~"
    assert.are.equal(unreserved, uri.encode(unreserved))
    assert.are.equal("%20%21%22%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D",
      uri.encode [[ !"#$%&'()*+,/:;<=>?@[\]^`{|}]])
    assert.are.equal("%00%0A%7F%C3%BC%FF", uri.encode "\0\n\127ü\xff")
  end)

  it("keeps a key's slashes and dots as they are", function()
    for key, path in pairs { ["a/b"] = "a/b", ["/a"] = "/a", ["a//b"] = "a//b", ["a/./b/../c"] = "a/./b/../c",
      ["a b+c"] = "a%20b%2Bc", ["ü/ñ"] = "%C3%BC/%C3%B1", ["a%2Fb"] = "a%252Fb", ["a/"] = "a/" } do
      assert.are.equal(path, uri.encode_path(key))
    end
  end)

  it("reads what S3 writes into lists", function()
    assert.are.equal("a b+c/ü", uri.decode_form "a+b%2Bc/%C3%BC")
    assert.are.equal("%41", uri.decode_form "%2541")
    for _, bad in ipairs { "%", "a%2", "%zz", "%%41" } do assert.is_nil(uri.decode_form(bad)) end
    for _ = 1, 200 do
      local text = {}
      for index = 1, math.random(20) do text[index] = string.char(math.random(0, 255)) end
      text = table.concat(text)
      assert.are.equal(text, uri.decode_form(uri.encode(text)))
      assert.are.equal(text, uri.decode_form(uri.encode_path(text)))
    end
  end)

  it("writes queries in the order given", function()
    assert.are.equal("list-type=2&prefix=a%20b%2F&b=",
      uri.query { { "list-type", "2" }, { "prefix", "a b/" }, { "b", "" } })
  end)

  it("tells addresses from names", function()
    for _, address in ipairs { "127.0.0.1", "::1", "[::1]" } do assert.is_true(uri.is_address(address)) end
    for _, name in ipairs { "localhost", "s3.amazonaws.com", "1.2.3.example" } do
      assert.is_false(uri.is_address(name))
    end
  end)
end)
