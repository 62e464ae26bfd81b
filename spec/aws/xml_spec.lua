local xml = require "submitter.aws.xml"

describe("small XML", function()
  local function refuses(text, pattern)
    local root, message = xml.parse(text)
    assert.is_nil(root)
    assert.matches(pattern, message)
  end

  it("becomes a tree", function()
    local root = assert(xml.parse [==[<?xml version="1.0" encoding="UTF-8"?>
      <List xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><!-- c -->
      <Key>a &amp;&#x20;&lt;b&gt;</Key><Key><![CDATA[<c>]]></Key>
      <Empty/><Deep><Key>d</Key></Deep></List>]==])
    assert.are.equal("List", root.name)
    assert.are.equal(4, #root)
    assert.are.equal("a & <b>", xml.text(root, "Key"))
    assert.are.equal("<c>", root[2].text)
    assert.are.equal("", xml.text(root, "Empty"))
    assert.are.equal("d", xml.text(xml.child(root, "Deep"), "Key"))
    assert.is_nil(xml.text(root, "Absent"))
    assert.is_nil(xml.child(root, "Absent"))
  end)

  it("reads what comes as Latin-1", function()
    assert.are.equal("ü", assert(xml.parse '<?xml version="1.0" encoding="ISO-8859-1"?><a>\xfc</a>').text)
  end)

  it("is refused with a DOCTYPE, and so without entities", function()
    refuses('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DOCTYPE")
    refuses('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DOCTYPE")
    refuses("<a>&b;</a>", "undefined entity")
  end)

  it("is refused when it isn't whole, or two", function()
    for _, text in ipairs { "", " ", "text", "<a>", "<a></b>", "<a/><b/>", "<a>\0</a>", "<a>\xff</a>", "<a", "{}" } do
      refuses(text, "no XML that is read here: .+, line %d")
    end
  end)

  it("is refused beyond its bounds", function()
    assert(xml.parse(("<a>"):rep(32) .. ("</a>"):rep(32)))
    refuses(("<a>"):rep(33) .. ("</a>"):rep(33), "more than 32 deep")
    refuses("<a>" .. (" "):rep(8 << 20) .. "</a>", "at most 8388608")
  end)

  it("takes a large list", function()
    local root = assert(xml.parse("<l>" .. ("<k>x</k>"):rep(100000) .. "</l>"))
    assert.are.equal(100000, #root)
  end)
end)
