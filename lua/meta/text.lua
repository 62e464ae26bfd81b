---@meta submitter.core.text
local text = {}

--- Splits as a POSIX shell splits a command line (2.2 quoting: backslash, '…', "…"), but expands nothing and knows no operators:
--- $, `, *, ~, #, ; | & < > stand for themselves. Code "quote" for an unended quote, the message says where; a NUL byte is code "nul".
---@param line string
---@return string[]|nil, string|nil, string|nil
function text.words(line) end

--- Valid UTF-8: each maximal invalid part becomes U+FFFD (Unicode's "substitution of maximal subparts"). And how many there were.
---@param bytes string
---@return string, integer
function text.repair(bytes) end

--- RFC 4180: one record with its CRLF; fields that hold a quote, comma, CR or LF are quoted.
---@param fields string[]
---@return string
function text.csv_row(fields) end

--- Without white space (space, \t, \n, \v, \f, \r) at both ends / at the end.
---@param bytes string
---@return string
function text.trim(bytes) end
---@param bytes string
---@return string
function text.trim_end(bytes) end

--- Is actual, without white space at its end, the same bytes as expected without white space at both ends? Copies nothing.
---@param actual string
---@param expected string
---@return boolean
function text.equal_trimmed(actual, expected) end

--- For a terminal: control characters (C0 but \n when keep_newlines, DEL, C1), invalid UTF-8 and bidirectional overrides written as \n, \t, \e, \x9b, \u{202e}.
---@param bytes string
---@param options {keep_newlines:boolean}|nil
---@return string
function text.escape(bytes, options) end

--- Columns that a terminal needs for a valid UTF-8 text (wcwidth).
---@param value string
---@return integer
function text.width(value) end

return text
