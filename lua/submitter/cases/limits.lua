--- How many cases an assignment may have in a mode, and how large they may be, wherever they come from: they are held while a
--- submission is graded, and stand in its result.
return {
  --- More would be a mistake: megabytes of empty lines are gigabytes of records.
  cases = 100000,
  --- The largest file of cases that is read.
  file_bytes = 64 * 1024 * 1024,
  --- The most of all inputs and expectations of a mode together.
  all_bytes = 128 * 1024 * 1024,
}
