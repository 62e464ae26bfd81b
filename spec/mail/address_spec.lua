local address = require "submitter.mail.address"
local host = require "submitter.host"

describe("an address of mail", function()
  local good = { "a@b", "first.last+tag@mail.example.org", "o'neill@example.org", "x_y-z=1@xn--4ca.example",
    ("a"):rep(249) .. "@b.cc" }
  local bad = { "", "a", "@b", "a@", "a@b@c", "a b@c", "a@b c", "a\n@b", "a\0@b", "<a@b>", "a@b,c@d", '"a"@b',
    "a@[::1]", "ä@b", "a@ü.example", ("a"):rep(250) .. "@b.cc", "a@b\r\nRCPT TO:<c@d>" }

  it("is name@host, and nothing that could be more", function()
    for _, text in ipairs(good) do assert.is_nil(address.problem(text), text) end
    for _, text in ipairs(bad) do assert.is_string(address.problem(text), text) end
    assert.is_string(address.problem(nil))
    assert.is_string(address.problem(12))
  end)

  it("isn't repeated when it is refused", function()
    for _, text in ipairs { "secret student@example.org", "secret@student@example.org", "sécret@example.org" } do
      assert.is_nil(address.problem(text):find "example")
    end
  end)

  it("that passes here is one for the SMTP client as well", function()
    local session <close> = host.smtp.open { url = "smtp://127.0.0.1:1", tls = "none", connect_timeout_ms = 1000 }
    for _, text in ipairs(good) do
      local sent, message = session:send { from = text, to = text, mail = "A: b\r\n\r\n" }
      assert.is_nil(sent)
      assert.is_string(message)
    end
  end)

  it("has a host", function()
    assert.are.equal("b.example", address.host "a@b.example")
  end)
end)
