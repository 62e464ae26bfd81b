--- The profile that a container's engine is given (csrc/sandbox/rules/container.c), as the file that engines read. That
--- sandbox, runner and programs work under it, and what it refuses, is csrc/test/test_container.c's.
local host = require "submitter.host"
local assert = require "luassert"

local function read_profile()
  local path = host.system.executable():match "^(.*)/" .. "/seccomp.json"
  local file = assert(io.open(path))
  local profile = assert(host.json.decode(file:read "a"))
  file:close()
  return profile
end

--- What each name is answered; a name may stand there once.
local function by_name(profile)
  local answers = {}
  for _, rule in ipairs(profile.syscalls) do
    for _, name in ipairs(rule.names) do
      assert.is_nil(answers[name], name .. " stands there twice")
      answers[name] = rule
    end
  end
  return answers
end

describe("the profile for containers", function()
  local profile = read_profile()
  local answers = by_name(profile)

  it("refuses what it doesn't name, on one architecture", function()
    assert.are.equal("SCMP_ACT_ERRNO", profile.defaultAction)
    assert.are.equal(1, profile.defaultErrnoRet)
    assert.are.equal(1, #profile.architectures)
    assert.matches("^SCMP_ARCH_%u", profile.architectures[1])
  end)

  it("allows what raises the walls, clone3 among it", function()
    local names = "clone3 unshare mount pivot_root fsmount mount_setattr setresuid capset seccomp "
      .. "execve execveat mmap openat"
    for name in names:gmatch "%S+" do
      assert.are.equal("SCMP_ACT_ALLOW", answers[name] and answers[name].action, name)
      assert.is_nil(answers[name].args, name)
    end
  end)

  it("allows local sockets and a key ring of one's own, and no others", function()
    for name, value in pairs { socket = 1, socketpair = 1, keyctl = 1 } do
      assert.are.equal("SCMP_ACT_ALLOW", answers[name].action)
      assert.are.same({ { index = 0, value = value, op = "SCMP_CMP_EQ" } }, answers[name].args)
    end
  end)

  it("answers what is newer as an older kernel would", function()
    for _, name in ipairs { "futex_waitv", "cachestat", "io_uring_setup", "memfd_secret" } do
      assert.are.equal("SCMP_ACT_ERRNO", answers[name] and answers[name].action, name)
      assert.are.equal(38, answers[name].errnoRet, name)
    end
  end)

  it("doesn't name what reaches the machine", function()
    local names = "bpf perf_event_open init_module kexec_load ptrace process_vm_readv setns userfaultfd "
      .. "open_by_handle_at add_key request_key reboot settimeofday chroot"
    for name in names:gmatch "%S+" do
      assert.is_nil(answers[name], name)
    end
  end)
end)
