local percent = require "submitter.percent"

describe("percent-encoding", function()
  it("keeps what RFC 3986 reserves for nothing", function()
    local unreserved = "ABCXYZabcxyz0189-._~"
    assert.are.equal(unreserved, percent.encode(unreserved))
    assert.are.equal("%20%21%22%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D",
      percent.encode [[ !"#$%&'()*+,/:;<=>?@[\]^`{|}]])
    assert.are.equal("%00%0A%7F%C3%BC%FF", percent.encode "\0\n\127ü\xff")
  end)

  it("keeps a key's slashes and dots as they are", function()
    for key, path in pairs { ["a/b"] = "a/b", ["/a"] = "/a", ["a//b"] = "a//b", ["a/./b/../c"] = "a/./b/../c",
      ["a b+c"] = "a%20b%2Bc", ["ü/ñ"] = "%C3%BC/%C3%B1", ["a%2Fb"] = "a%252Fb", ["a/"] = "a/" } do
      assert.are.equal(path, percent.encode_path(key))
    end
  end)

  it("reads what S3 writes into lists", function()
    assert.are.equal("a b+c/ü", percent.decode_form "a+b%2Bc/%C3%BC")
    assert.are.equal("%41", percent.decode_form "%2541")
    for _, bad in ipairs { "%", "a%2", "%zz", "%%41" } do assert.is_nil(percent.decode_form(bad)) end
    for _ = 1, 200 do
      local text = {}
      for index = 1, math.random(20) do text[index] = string.char(math.random(0, 255)) end
      text = table.concat(text)
      assert.are.equal(text, percent.decode_form(percent.encode(text)))
      assert.are.equal(text, percent.decode_form(percent.encode_path(text)))
    end
  end)
end)
