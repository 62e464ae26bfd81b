-- Runs specs with busted inside the host, so that they use the very modules and the scheduler that the service uses:
--
--     build/submitter run spec/run.lua [BUSTED OPTION…] [FILE OR FOLDER…]
--
-- With nothing named it runs all of spec/ but what needs more than the embedded default (integration, bench).
local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. here .. "/../lua/?.lua;" .. here .. "/../lua/?/init.lua;" .. package.path

local named = false
for _, word in ipairs(arg) do
  named = named or not word:find("^%-")
end
if not named then
  for _, word in ipairs { "--exclude-pattern=integration", here } do
    arg[#arg + 1] = word
  end
end

require "busted.runner" { standalone = false }
