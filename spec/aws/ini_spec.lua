local ini = require "submitter.aws.ini"

-- What stands in a section of the text, by the section's name.
local function read(text)
  local sections = assert(ini.parse(text))
  local result = {}
  for _, section in ipairs(sections) do
    result[section.name] = result[section.name] or {}
    for name, value in pairs(section.properties) do result[section.name][name] = value end
  end
  return result
end

local function refused(text)
  local sections, message = ini.parse(text)
  assert.is_nil(sections)
  return message
end

-- The cases are those of the parser tests that the SDKs share.
describe("the format of the shared files", function()
  it("holds sections and properties", function()
    assert.are.same({}, read "")
    assert.are.same({ foo = {} }, read "[foo]")
    assert.are.same({ ["profile foo"] = { name = "value" } }, read "[profile foo]\nname = value")
    assert.are.same({ foo = { name = "value" } }, read "[foo]\r\nname = value\r\n")
    assert.are.same({ foo = { name = "val=ue" } }, read "[foo]\nname = val=ue")
    assert.are.same({ foo = { name = "é" } }, read "[foo]\nname = é")
    assert.are.same({ foo = { name = "" } }, read "[foo]\nname =")
    assert.are.same({ foo = { name = "value" } }, read "\239\187\191[foo]\nname=value")
  end)

  it("drops white space around names and values", function()
    assert.are.same({ foo = { name = "value" } }, read "[ \tfoo \t]\nname \t=  \tvalue \t")
    assert.are.same({ foo = { name = "value" }, bar = {} }, read "\t \n[foo]\n\t\n \nname = value\n\t \n[bar]\n \t")
  end)

  it("knows comments: whole lines, and behind white space", function()
    local expected = { foo = { name = "value" } }
    assert.are.same(expected, read "# Comment\n[foo] # Comment\nname = value # Comment with # sign")
    assert.are.same(expected, read "; Comment\n[foo] ; Comment\nname = value ; Comment with ; sign")
    assert.are.same(expected, read ";\n[foo];\nname = value ;\n")
    assert.are.same({ foo = { a = "value; near", b = "value# near" } }, read "[foo]\na = value; near\nb = value# near")
    assert.are.same({ foo = { name = "" } }, read "[foo]\nname = # nothing")
    assert.are.same({ foo = { name = "value" } }, read "[foo]\nname = value\n # indented")
  end)

  it("continues values on indented lines, comments and all", function()
    assert.are.same({ foo = { name = "value\n-continued\n-more" } },
      read "[foo]\nname = value\n -continued\n \t -more \t ")
    assert.are.same({ foo = { name = "value\n-continued # C" } }, read "[foo]\nname = value\n -continued # C")
  end)

  it("takes properties that are all indented", function()
    assert.are.same({ foo = { a = "1", b = "2\nmore", s3 = { c = "3" }, d = "4" }, bar = { e = "5" } },
      read "[foo]\n  a = 1\n  b = 2\n    more\n  s3 =\n    c = 3\n d = 4\n[bar]\n\te=5")
  end)

  it("reads nested properties below an empty value", function()
    assert.are.same({ foo = { s3 = { addressing_style = "path", other = "" } } },
      read "[foo]\ns3 =\n addressing_style = path\n\t \n Other =\n")
    assert.are.same({ foo = { s3 = { ["in valid"] = "value" } } }, read "[foo]\ns3 =\n in valid = value")
    assert.are.same({ foo = { s3 = { a = "1" }, name = "value" } }, read "[foo]\ns3 =\n # why\n a = 1\nname = value")
  end)

  it("takes the last of two values, whatever the case of the name", function()
    assert.are.same({ foo = { name = "2" } }, read "[foo]\nName = 1\nname = 2")
    assert.are.same({ foo = { name = "2" } }, read "[foo]\nname = 1\n[foo]\nname = 2")
  end)

  it("skips properties whose names it doesn't know how to read", function()
    assert.are.same({ foo = { other = "2" } }, read "[foo]\nin valid = value\n more\nother = 2")
  end)

  it("says in which line something is wrong, and not what stands there", function()
    assert.are.equal("line 1: a section is written [name], with nothing but a comment behind it", refused "[foo")
    assert.matches("line 1: a section", refused "[foo] secret")
    assert.matches("line 1: a property must stand in a section", refused "name = secret")
    assert.matches("line 1: a property must stand in a section", refused " -secret")
    assert.matches("line 2: a property has no name", refused "[foo]\n= secret")
    assert.matches("line 2: expected name = value", refused "[foo]\nkey : secret")
    assert.matches("line 2: expected name = value", refused "[foo]\n -secret")
    assert.matches("line 4: expected name = value", refused "[foo]\nname = value\n[foo]\n -secret")
    assert.matches("line 3: expected name = value", refused "[foo]\ns3 =\n secret")
    assert.matches("line 3: a property has no name", refused "[foo]\ns3 =\n = secret")
    for _, text in ipairs { "[secret", "name = secret", "[foo]\n= secret", "[foo]\nkey : secret",
      "[foo]\ns3 =\n secret" } do
      assert.is_nil(refused(text):find "secret")
    end
  end)
end)
