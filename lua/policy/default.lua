-- How submissions are graded where nobody said otherwise. A policy of your own says only what is to be different: put
-- it into the policy directory as <admin>/<event>/<assignment>.lua, <admin>/<event>.lua, <admin>.lua or default.lua.
-- README.md explains each field. The next submission is graded by it; nothing is restarted.
return {
  -- What one case may use, the program and all that it starts together.
  limits = {
    cpu = "2s",        -- CPU time
    wall = "6s",       -- time on the wall clock
    memory = "256M",
    output = "1M",     -- what it prints
    processes = 16,    -- processes and threads at the same time
    files = "16M",     -- what it writes to files
  },

  -- What a line of test.in becomes: "words" of a command line (quotes and backslashes as in a shell, nothing
  -- expanded), the whole "line" as one argument, or a line of "stdin". Pairs of files always go to standard input.
  input = "words",

  -- When an output is right: "trimmed" (white space at its end and at both ends of the expectation doesn't count),
  -- "exact", or function(actual, expected, case) return actual == expected, "a note for a wrong answer" end
  compare = "trimmed",

  -- What a passed case is worth: a number, or function(case) return case.number <= 3 and 1 or 2 end
  points = 1,

  -- What students see of a case: "visible", or "hidden" (its verdict only).
  show = { test = "visible", grade = "hidden" },

  -- The reports beside the submission: <subid>.out (csv) and <subid>.result.json (json).
  publish = { "csv", "json" },
}
