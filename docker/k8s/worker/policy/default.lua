-- What holds for all assignments. Others' files stand beside it by their names: see lua/policy/README.md.
return {
  limits = { cpu = "2s", wall = "6s", memory = "256M" },
}
