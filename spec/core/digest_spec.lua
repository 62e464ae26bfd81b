local host = require "submitter.host"

local digest = host.digest

local bytes = {}
for byte = 0, 255 do bytes[byte + 1] = string.char(byte) end
local tables_text = table.concat(bytes):rep(3)

local function slow_crc32(text)
  local crc = 0xffffffff
  for index = 1, #text do
    crc = crc ~ text:byte(index)
    for _ = 1, 8 do crc = crc & 1 == 1 and crc >> 1 ~ 0xedb88320 or crc >> 1 end
  end
  return crc ~ 0xffffffff
end

describe("core.digest", function()
  it("knows MD5 (RFC 1321)", function()
    assert.are.equal("d41d8cd98f00b204e9800998ecf8427e", digest.md5(""))
    assert.are.equal("900150983cd24fb0d6963f7d28e17f72", digest.md5("abc"))
    assert.are.equal("c3fcd3d76192e4007dfb496cca67e13b", digest.md5("abcdefghijklmnopqrstuvwxyz", "hex"))
  end)

  it("knows SHA-256 (FIPS 180-4)", function()
    assert.are.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", digest.sha256(""))
    assert.are.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", digest.sha256("abc"))
    assert.are.equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
      digest.sha256(("a"):rep(1000000)))
  end)

  it("knows HMAC-SHA-256 (RFC 4231)", function()
    assert.are.equal("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      digest.hmac_sha256(("\11"):rep(20), "Hi There"))
    assert.are.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      digest.hmac_sha256("Jefe", "what do ya want for nothing?"))
    assert.are.equal("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      digest.hmac_sha256(("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First"))
    assert.are.equal(64, #digest.hmac_sha256("", ""))
  end)

  it("gives raw bytes, and takes any", function()
    assert.are.equal(16, #digest.md5("x", "raw"))
    assert.are.equal(32, #digest.sha256("x", "raw"))
    assert.are.equal(32, #digest.hmac_sha256("k", "x", "raw"))
    assert.are.equal("93b885adfe0da089cdf634904fd59f71", digest.md5("\0"))
    assert.are.equal(digest.md5("a\0b"), (digest.md5("a\0b", "raw"):gsub(".", function(c)
      return ("%02x"):format(c:byte()) end)))
  end)

  it("knows CRC-32 (IEEE 802.3), whatever the length", function()
    assert.are.equal("cbf43926", digest.crc32("123456789"))
    assert.are.equal("00000000", digest.crc32(""))
    assert.are.equal("35f6edc8", digest.crc32(tables_text .. "tail"))
    -- Whole steps of eight bytes and any rest agree with one byte at a time.
    for length = 0, 40 do
      local text = tables_text:sub(1, length)
      assert.are.equal(slow_crc32(text), tonumber(digest.crc32(text), 16))
    end
    assert.are.equal("\xcb\xf4\x39\x26", digest.crc32("123456789", "raw"))
    assert.are.equal("y/Q5Jg==", digest.crc32("123456789", "base64"))
  end)

  it("gives base64 with padding (RFC 4648)", function()
    assert.are.equal("1B2M2Y8AsgTpgAmY7PhCfg==", digest.md5("", "base64"))
    assert.are.equal("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", digest.sha256("", "base64"))
    assert.are.equal(44, #digest.hmac_sha256("k", "x", "base64"))
    for count = 1, 9 do
      assert.matches("^[%w+/]+=?=?$", digest.random(count, "base64"))
      assert.are.equal((count + 2) // 3 * 4, #digest.random(count, "base64"))
    end
  end)

  it("gives random bytes", function()
    assert.matches("^%x+$", digest.random(16))
    assert.are.equal(32, #digest.random(16))
    assert.are.equal(256, #digest.random(256, "raw"))
    assert.are.equal(1, #digest.random(1, "raw"))
    assert.are_not.equal(digest.random(16), digest.random(16))
  end)

  it("refuses misuse", function()
    assert.error_matches(function() digest.random(0) end, "1 to 256")
    assert.error_matches(function() digest.random(257) end, "1 to 256")
    assert.error_matches(function() digest.md5("x", "base32") end, "invalid option 'base32'")
    assert.error_matches(function() digest.md5() end, "string expected")
    assert.error_matches(function() digest.hmac_sha256("k") end, "string expected")
  end)
end)
