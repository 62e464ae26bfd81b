--- Reads the small XML of S3 and STS, by Debian's lua-expat. Strict: one document, of bounded size and depth, without DOCTYPE
--- and therefore without entities of its own. What comes out is a plain tree.

local lxp = require "lxp"

local xml = {}

local LIMIT_BYTES = 8 << 20
local LIMIT_DEPTH = 32

---@class XmlElement
---@field name string as it stands in the document, prefix and all
---@field text string its own text, joined, without that of the elements within
---@field [integer] XmlElement the elements within, in order

local function reader()
  local state = { open = {}, root = nil, problem = nil }
  local function refuse(parser, problem)
    state.problem = state.problem or problem
    parser:stop()
  end
  state.callbacks = {
    StartElement = function(parser, name)
      local open = state.open
      if #open >= LIMIT_DEPTH then
        return refuse(parser, ("elements lie more than %d deep"):format(LIMIT_DEPTH))
      end
      local element = { name = name, pieces = {} }
      local parent = open[#open]
      if parent then
        parent[#parent + 1] = element
      else
        state.root = element
      end
      open[#open + 1] = element
    end,
    EndElement = function()
      local element = table.remove(state.open)
      element.text, element.pieces = table.concat(element.pieces), nil
    end,
    CharacterData = function(_, text)
      local pieces = state.open[#state.open].pieces
      pieces[#pieces + 1] = text
    end,
    StartDoctypeDecl = function(parser)
      refuse(parser, "it has a DOCTYPE")
    end,
  }
  return state
end

--- Reads a document.
---@param text string
---@return XmlElement|nil root
---@return string|nil message
function xml.parse(text)
  if #text > LIMIT_BYTES then
    return nil, ("the XML has %d bytes; at most %d are read"):format(#text, LIMIT_BYTES)
  end
  local state = reader()
  local parser = lxp.new(state.callbacks)
  local good, problem, line = parser:parse(text)
  if good then
    good, problem, line = parser:parse()
  end
  -- It throws when the document isn't whole, which was told already.
  pcall(parser.close, parser)
  if good and not state.problem then
    return state.root
  end
  return nil, ("it is no XML that is read here: %s%s"):format(state.problem or problem,
    line and (", line %d"):format(line) or "")
end

--- The first element of a name directly within another.
---@param element XmlElement
---@param name string
---@return XmlElement|nil
function xml.child(element, name)
  for _, child in ipairs(element) do
    if child.name == name then
      return child
    end
  end
  return nil
end

--- The text of the first element of a name directly within another.
---@param element XmlElement
---@param name string
---@return string|nil text nil when there is no such element
function xml.text(element, name)
  local child = xml.child(element, name)
  return child and child.text
end

return xml
