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

  -- What a passed case is worth: a number, or function(case) return case.number <= 3 and 1 or 2 end. While no policy
  -- says it, a case in the database is worth its own points, and every other 1. Your word wins over theirs.
  -- points = 1,

  -- What students see of a case: "visible", or "hidden" (its verdict only). While no policy says it, a case in the
  -- database is seen as its own visibility says, and every other like this. Your word wins over theirs.
  -- show = { test = "visible", grade = "hidden" },

  -- What becomes of a submission that comes after the event's end, which a database knows: "grade", it is graded on the
  -- grade cases, or "refuse".
  late = "grade",

  -- Whether the database must know every token as a student's of the event ("known"), or needn't ("any").
  tokens = "any",

  -- Which attempt the grade book shows: the "latest", or the "best", that with the most points.
  counts = "latest",

  -- Where the program runs: one of the runners that the operator allows, by its name in the configuration; without a
  -- word, or with "default", where all others do.
  -- runner = "heavy",

  -- The reports beside the submission: <subid>.out (csv) and <subid>.result.json (json).
  publish = { "csv", "json" },
}
