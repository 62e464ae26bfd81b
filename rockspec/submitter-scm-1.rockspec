rockspec_format = "3.0"
package = "submitter"
version = "scm-1"
source = { url = "git+file://." }
description = {
  summary = "The back end of a grading service: a C host that runs Lua",
  detailed = "Polls a queue, fetches students' programs from a bucket, runs them in a sandbox, compares and publishes.",
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.4, < 5.5", "lua-cjson >= 2.1", "luaexpat >= 1.4", "argparse >= 0.7" }
-- libcurl and libpq as well, but LuaRocks doesn't look where Debian has their headers: the Makefile finds them by pkg-config.
external_dependencies = {
  LIBUV = { header = "uv.h" },
  CRYPTO = { header = "openssl/evp.h" },
  SECCOMP = { header = "seccomp.h" },
}
build = {
  type = "make",
  build_target = "programs",
  install_target = "install",
  build_variables = { CFLAGS = "$(CFLAGS)" },
  -- LuaRocks deploys LUADIR to share/lua/5.4 of its tree and the programs to bin, where they look for it; what else they
  -- need has to be below it.
  install_variables = { PREFIX = "$(PREFIX)", LUADIR = "$(LUADIR)", SQLDIR = "$(LUADIR)/postgres" },
}
