--- The commands about cases as a user calls them: the real program, on the bucket. With a database:
--- spec/with_postgres/cases_spec.lua.
local host = require "submitter.host"
local support = require "spec.cli.support"

local place = "m.soltys/labs/sum"
local grading = "var/bucket/m.soltys/labs/sum/grading/"

local solution = "import sys\nprint(sum(map(int, sys.argv[1:])))\n"

describe("submitter cases", function()
  local folder
  before_each(function() folder = support.folder() end)
  after_each(function() folder.remove_all() end)

  local function run(...) return support.submitter(folder, { "cases", ... }) end

  local function done(...)
    local ended = run(...)
    assert.equal(0, ended.exit_code, ended.stderr .. ended.stdout)
    return ended.stdout, ended.stderr
  end

  local function refused(code, ...)
    local ended = run(...)
    assert.equal(code, ended.exit_code, ended.stderr .. ended.stdout)
    return ended.stderr
  end

  local function path(name) return folder.path .. "/" .. name end

  describe("import", function()
    it("puts lines into the bucket, and says what stood there", function()
      local input, expected = folder:write("test.in", "1 2\r\n\r\n"), folder:write("test.out", "3\n0")
      assert.equal("imported   2 test cases of m.soltys/labs/sum into the bucket, where there were none\n",
        (done("import", place, "--in", input, "--out", expected)))
      assert.equal("1 2\r\n\r\n", folder:read(grading .. "test.in"))
      assert.equal("3\n0", folder:read(grading .. "test.out"))
      assert.equal("unchanged  2 test cases of m.soltys/labs/sum: the same are in the bucket already\n",
        (done("import", place, "--in", input, "--out", expected)))
      folder:write("test.out", "4\n0")
      assert.equal("imported   2 test cases of m.soltys/labs/sum into the bucket, in the place of 2\n",
        (done("import", place, "--in", input, "--out", expected)))
    end)

    it("puts pairs into the bucket, and takes lines away", function()
      folder:write(grading .. "grade.in", "1\n")
      folder:write(grading .. "grade.out", "2\n")
      folder:write("pairs/one.in", "1\n2")
      folder:write("pairs/one.out", "3\n")
      folder:write("pairs/notes.txt", "mine")
      done("import", place, "--in", path "pairs", "--mode", "grade")
      assert.equal("1\n2", folder:read(grading .. "grade/one.in"))
      assert.equal("3\n", folder:read(grading .. "grade/one.out"))
      assert.is_nil((folder:read(grading .. "grade.in")))
      assert.is_nil((folder:read(grading .. "grade.out")))
      assert.is_nil((folder:read(grading .. "grade/notes.txt")))
    end)

    it("reads one of the two from standard input", function()
      local ended = support.submitter(folder, { "cases", "import", place, "--in", "-", "--out",
        folder:write("test.out", "3\n") }, { input = "1 2\n" })
      assert.equal(0, ended.exit_code, ended.stderr)
      assert.equal("1 2\n", folder:read(grading .. "test.in"))
    end)

    it("refuses what are no cases, with the reason, and writes nothing", function()
      local input, expected = folder:write("test.in", "1\n2\n"), folder:write("test.out", "3\n")
      assert.truthy(refused(2, "import", place, "--in", input, "--out", expected)
        :find("test.in has 2 lines and", 1, true))
      assert.truthy(refused(2, "import", place, "--in", input):find("--out FILE is missing", 1, true))
      assert.truthy(refused(2, "import", place, "--in", path "none", "--out", input):find("can't read", 1, true))
      folder:write("pairs/one.in", "1")
      assert.truthy(refused(2, "import", place, "--in", path "pairs"):find("one.in has no one.out beside it", 1, true))
      assert.is_nil((folder:read(grading .. "test.in")))
    end)

    it("refuses a path that is no assignment's", function()
      for _, text in ipairs { "a", "a/e", "a/e/s/" .. ("0"):rep(32), "a/../s", "a//s", "" } do
        local stderr = refused(2, "import", text, "--in", "x", "--out", "y")
        assert.truthy(stderr:find("ADMIN/EVENT/ASSIGNMENT", 1, true), stderr)
      end
    end)

    it("refuses what only a database can hold, and a database that isn't there", function()
      local input, expected = folder:write("test.in", "1\n"), folder:write("test.out", "1\n")
      for _, flags in ipairs {
        { "--points", "2" }, { "--visibility", "hidden" }, { "--unnamed" }, { "--form", "file" },
      } do
        local stderr = refused(2, "import", place, "--in", input, "--out", expected, table.unpack(flags))
        assert.truthy(stderr:find(flags[1], 1, true), stderr)
      end
      assert.truthy(refused(3, "import", place, "--in", input, "--out", expected, "--to", "database")
        :find("no database is configured", 1, true))
      for _, text in ipairs { "x", "1,,2", "1e7", "1,0x", "nan" } do
        assert.truthy(refused(2, "import", place, "--in", input, "--out", expected, "--points", text)
          :find("is no number from 0", 1, true), text)
      end
    end)
  end)

  describe("export", function()
    local function bytes_of(...)
      local texts = {}
      for index, name in ipairs { ... } do texts[index] = assert(folder:read(name)) end
      return texts
    end

    it("gives lines back byte for byte", function()
      folder:write(grading .. "grade.in", "\xEF\xBB\xBF1 2\r\n\xff\0")
      folder:write(grading .. "grade.out", "3\n4\n")
      done("export", place, "--mode", "grade", "--in", path "x.in", "--out", path "x.out")
      assert.same({ "\xEF\xBB\xBF1 2\r\n\xff\0", "3\n4\n" }, bytes_of("x.in", "x.out"))
      assert.truthy(done("import", place, "--mode", "grade", "--in", path "x.in", "--out", path "x.out")
        :find("unchanged", 1, true))
    end)

    it("gives pairs back into a folder, and only into one without cases", function()
      for name, text in pairs { ["2.in"] = "a\nb", ["2.out"] = "", ["10.in"] = "c", ["10.out"] = "\n" } do
        folder:write(grading .. "test/" .. name, text)
      end
      local _, stderr = done("export", place, "--in", path "pairs/")
      assert.equal("", stderr)
      assert.same({ "a\nb", "", "c", "\n" }, bytes_of("pairs/2.in", "pairs/2.out", "pairs/10.in", "pairs/10.out"))
      assert.truthy(done("import", place, "--in", path "pairs"):find("unchanged", 1, true))
      assert.truthy(refused(2, "export", place, "--in", path "pairs"):find("holds cases already", 1, true))
      assert.truthy(refused(2, "export", place, "--in", path "x", "--out", path "y"):find("name a folder", 1, true))
      assert.is_nil((folder:read "x"))
    end)

    it("writes to standard output, and says elsewhere what it did", function()
      folder:write(grading .. "test.in", "1\n")
      folder:write(grading .. "test.out", "2\n")
      local stdout, stderr = done("export", place, "--in", "-", "--out", path "x.out")
      assert.equal("1\n", stdout)
      assert.truthy(stderr:find("exported   1 test case of m.soltys/labs/sum from the bucket", 1, true))
      assert.truthy(refused(2, "export", place, "--in", "-", "--out", "-"):find("same file", 1, true))
    end)

    it("writes through a link, and says where nothing can be written", function()
      folder:write(grading .. "test.in", "1\n")
      folder:write(grading .. "test.out", "2\n")
      folder:write("real", "old")
      require("spec.support").make_special("/bin/ln", { "-s", "real", path "link" })
      done("export", place, "--in", path "link", "--out", "/dev/null")
      assert.equal("1\n", folder:read "real")
      assert.truthy(refused(2, "export", place, "--in", path "none/x", "--out", path "y"):find("can't write", 1, true))
    end)

    it("says where there are none", function()
      assert.truthy(refused(2, "export", "a/e/s", "--in", path "x", "--out", path "y")
        :find("there are no cases: neither a/e/s/grading/test.in", 1, true))
    end)
  end)

  describe("make", function()
    it("writes what the solution prints, each output a line #cgroup", function()
      local program, input = folder:write("solution.py", solution), folder:write("test.in", "1 2\n\n-1\r\n")
      assert.truthy(done("make", program, "--in", input, "--out", path "test.out")
        :find("made       3 expected outputs", 1, true))
      assert.equal("3\n0\n-1\n", folder:read "test.out")
      assert.equal("3\n0\n-1\n", (done("make", program, "--in", input)))
    end)

    it("writes whole outputs for a folder of inputs, also beside them #cgroup", function()
      local program = folder:write("solution.py", "import sys\nsys.stdout.write(sys.stdin.read().upper())\n")
      folder:write("pairs/one.in", "a\nb\n\n")
      folder:write("pairs/two.in", "c")
      folder:write("pairs/two.out", "old")
      assert.truthy(refused(2, "make", program, "--in", path "pairs"):find("--out FOLDER is missing", 1, true))
      local input = folder:write("same.in", "1 2\n")
      assert.truthy(refused(2, "make", program, "--in", input, "--out", input):find("same file", 1, true))
      assert.equal("1 2\n", folder:read "same.in")
      done("make", program, "--in", path "pairs", "--out", path "pairs")
      assert.equal("A\nB\n\n", folder:read "pairs/one.out")
      assert.equal("C", folder:read "pairs/two.out")
    end)

    it("writes nothing when the solution fails, and shows how #cgroup", function()
      local program = folder:write("solution.py",
        "import sys\nif sys.argv[1] == '2': raise ValueError('no \\33[31mtwo')\n")
      local input = folder:write("test.in", "1\n2\n")
      folder:write("test.out", "old")
      local stderr = refused(1, "make", program, "--in", input, "--out", path "test.out")
      assert.truthy(stderr:find("failed on 1 of 2 cases", 1, true), stderr)
      assert.truthy(stderr:find("case 2: RTE: exit code 1", 1, true), stderr)
      assert.truthy(stderr:find("ValueError: no \\e[31mtwo", 1, true), stderr)
      assert.equal("old", folder:read "test.out")
      assert.truthy(refused(1, "make", folder:write("empty.py", ""), "--in", input):find("is empty", 1, true))
    end)

    it("writes nothing when an output is no line, and says what to do #cgroup", function()
      local program = folder:write("solution.py", "print(1)\nprint(2)\n")
      local stderr = refused(1, "make", program, "--in", folder:write("test.in", "1\n"), "--out", path "test.out")
      assert.truthy(stderr:find("case 1: what is expected has a line break", 1, true), stderr)
      assert.truthy(stderr:find("--in FOLDER --out FOLDER", 1, true), stderr)
      assert.is_nil((folder:read "test.out"))
    end)

    it("goes by a policy, whose comparison can't be asked yet #cgroup", function()
      local program = folder:write("solution.py", "import sys\nprint(len(sys.stdin.read()))\n")
      local policy = folder:write("policy.lua", 'return { input = "stdin", compare = function() error "no" end }')
      assert.equal("4\n", (done("make", program, "--in", folder:write("test.in", "1 2\n"), "--policy", policy)))
    end)
  end)

  describe("check", function()
    local function install(input, expected)
      folder:write(grading .. "test.in", input)
      folder:write(grading .. "test.out", expected)
    end

    it("passes a solution, and says how far it stays from each limit #cgroup", function()
      install("1 2\n3 4000\n", "3\n4003\n")
      local program = folder:write("solution.py", solution)
      local stdout = done("check", place, program)
      assert.truthy(stdout:find("2 test cases of m.soltys/labs/sum from the bucket, by ", 1, true), stdout)
      assert.truthy(stdout:find("\noutput +5B +%S+ +0.0 %% +2\n"), stdout)
      assert.truthy(stdout:find("\nAC: all passed · 2 of 2 cases passed · 2 of 2 points\n", 1, true), stdout)
      local told = assert(host.json.decode((done("check", place, program, "--format", "json"))))
      assert.equal("AC", told.verdict)
      assert.equal("bucket", told.cases_source)
      assert.equal("sum", told.assignment)
      assert.same({}, { table.unpack(told.failed) })
      local by_name = {}
      for _, limit in ipairs(told.limits) do by_name[limit.name] = limit end
      assert.equal(5, by_name.output.largest)
      assert.equal(2, by_name.output.case)
      assert.is_true(by_name.cpu.largest > 0 and by_name.cpu.share == by_name.cpu.largest / by_name.cpu.limit)
      assert.is_true(by_name.wall.largest > 0 and by_name.memory.largest > 0)
    end)

    it("shows the cases that a solution doesn't pass, and only those #cgroup", function()
      install("1\n2\n3\n", "1\n9\n3\n")
      local program = folder:write("solution.py", solution)
      local ended = run("check", place, program)
      assert.equal(1, ended.exit_code)
      assert.truthy(ended.stdout:find("  case 2  WA", 1, true), ended.stdout)
      assert.falsy(ended.stdout:find("AC", 1, true), ended.stdout)
      assert.truthy(ended.stdout:find("WA: case 2: wrong answer · 2 of 3 cases passed", 1, true), ended.stdout)
      local told = assert(host.json.decode(run("check", place, program, "--format", "json").stdout))
      assert.equal(1, #told.failed)
      assert.equal(2, told.failed[1].number)
      assert.equal(1, run("check", place, folder:write("empty.py", "")).exit_code)
    end)

    it("goes by the policy in force there, with one's own over it #cgroup", function()
      install("5\n", "10\n")
      local policies = folder.path .. "/policies"
      folder:write("policies/m.soltys/labs/sum.lua",
        "return { compare = function(a, e) return a * 2 == e * 1 end, points = 3 }")
      local program = folder:write("solution.py", solution)
      local function check(...)
        return support.submitter(folder, { "cases", "check", place, program, ... },
          { environment = { SUBMITTER_POLICY = policies } })
      end
      local ended = check()
      assert.equal(0, ended.exit_code, ended.stderr .. ended.stdout)
      assert.truthy(ended.stdout:find("by m.soltys/labs/sum.lua", 1, true), ended.stdout)
      assert.truthy(ended.stdout:find("3 of 3 points", 1, true), ended.stdout)
      assert.equal(1, check("--policy", folder:write("mine.lua", 'return { compare = "exact" }')).exit_code)
    end)

    it("goes by the policy beside the cases where that counts #cgroup", function()
      install("5\n", "9\n")
      folder:write(grading .. "policy.lua", "return { compare = function() return true end }")
      local program = folder:write("solution.py", solution)
      assert.equal(1, run("check", place, program).exit_code)
      local configuration = folder:write("submitter.lua", "return { policy = { from_bucket = true } }")
      done("check", place, program, "--config", configuration)
    end)

    it("takes the other spelling of the keys where only that is there", function()
      local ended = run("check", "/a/e/s", folder:write("solution.py", solution))
      assert.equal(2, ended.exit_code)
      assert.truthy(ended.stderr:find("neither /a/e/s/grading/test.in", 1, true), ended.stderr)
    end)
  end)
end)
